"""The table of values in the chart's README, made from the comments in values.yaml."""

import re

BEGIN = "<!-- values: made by scripts/deploy --write -->\n"
END = "<!-- end of values -->\n"
# Maps whose keys are the user's.
OPEN = {"resources", "annotations", "requests", "limits"}


def check(chart):
    text = (chart / "README.md").read_text()
    assert text == filled(text, chart), "the table is not that of values.yaml: scripts/deploy --write"


def write(chart):
    file = chart / "README.md"
    file.write_text(filled(file.read_text(), chart))


def filled(text, chart):
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, "README.md has no place for the table"
    return before + BEGIN + "\n" + markdown(chart) + "\n" + END + after


def markdown(chart):
    lines = ["| value | default | what it does |", "| --- | --- | --- |"]
    for path, default, about in rows((chart / "values.yaml").read_text().splitlines()):
        default = f"`{default}`" if default else ""
        lines.append(f"| `{path}` | {default} | {about} |".replace("  ", " "))
    return "\n".join(lines) + "\n"


def rows(lines):
    """Every key with a comment or a value of its own. Two spaces are one level."""
    comment, path, closed = [], [], None
    for line in lines:
        if match := re.match(r"^ *# ?(.*)$", line):
            comment.append(match.group(1))
            continue
        match = re.match(r"^( *)([^\s:]+): *(.*)$", line)
        if not match:
            comment = []
            continue
        depth, key, value = len(match.group(1)) // 2, match.group(2), match.group(3)
        if closed is not None and depth > closed:
            comment = []
            continue
        closed = depth if key in OPEN else None
        path = [*path[:depth], key]
        about = " ".join(comment).replace("|", "\\|")
        comment = []
        if value or about or closed is not None:
            yield ".".join(path), value.strip('"') if value != '""' else "", about
