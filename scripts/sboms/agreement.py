"""How far two lists of packages agree, kind by kind, and why where they do not."""
import collections, datetime

from sboms.explained import EXPLAINED

LEAST = 0.99


def judge(own, theirs, table=None):
    """Prints, and writes if it is to, what differs; 1 where that is too much or not explained."""
    kinds = collections.defaultdict(lambda: [set(), set()])
    for side, packages in enumerate((own, theirs)):
        for package in packages:
            kinds[package[0]][side].add(package)
    rows, differences, failed = [], [], False
    for kind, (ours, others) in sorted(kinds.items()):
        both = ours & others
        explained = {one: reason(one, one in ours) for one in ours ^ others}
        excused = {one for one, why in explained.items() if why}
        rate = lambda found, other: len(both) / len(both | (found - excused)) if found else 1.0
        shares = rate(ours, others), rate(others, ours)
        failed |= min(shares) < LEAST or len(excused) < len(explained)
        rows.append((kind, len(ours), len(others), len(both), *shares))
        differences += [(one, one in ours, why) for one, why in sorted(explained.items())]
    text = written(rows, differences)
    print(text)
    if table:
        table.write_text(text)
    return 1 if failed else 0


def reason(package, is_ours):
    whose = "ours" if is_ours else "syft"
    for found_by, kind, matches, why in EXPLAINED:
        if (found_by, kind) == (whose, package[0]) and matches(package[1], package[2]):
            return why
    return None


def written(rows, differences):
    day = datetime.date.today().isoformat()
    lines = [
        "# What plura and syft find in the same image", "",
        f"Made by `scripts/sbom --real --write` on {day} from the image of `scripts/sboms/real.py`, with syft 1.18.1.",
        "Trivy is not among them: it is published in neither Debian, PyPI, npm nor crates.io, where the tools of",
        "these tests come from.", "",
        "Shares are of what one side finds and is not explained below, found by the other as well.", "",
        "| kind | plura | syft | both | of plura's | of syft's |", "|---|---|---|---|---|---|",
    ]
    lines += [f"| {k} | {a} | {b} | {c} | {x:.1%} | {y:.1%} |" for k, a, b, c, x, y in rows]
    lines += ["", "| found only by | package | why |", "|---|---|---|"]
    for (kind, name, version), is_ours, why in differences:
        lines.append(f"| {'plura' if is_ours else 'syft'} | {kind} `{name}` {version} | {why or 'NOT EXPLAINED'} |")
    return "\n".join(lines) + "\n"
