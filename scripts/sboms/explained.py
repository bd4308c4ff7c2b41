"""Why only one side finds a package: who finds it, its kind, which names and versions, and the reason."""

GUESSED = (
    "the archive has no Maven metadata, so its group is a guess: plura takes the vendor that the manifest names, "
    "else the archive's name; syft makes one of the bundle's name"
)
NO_VERSION = "its manifest names no version, without which nothing can be said about it"
MAIN = "the program itself: its version is that of the commit for plura, and what a linker's option says for syft"


def is_guessed(name, version):
    return any(part in name for part in ("mongo", "bson", "org.apache/commons-logging", "org.apache/logging"))


EXPLAINED = [
    ("ours", "maven", is_guessed, GUESSED),
    ("syft", "maven", is_guessed, GUESSED),
    # A package URL without a version: what stands in front of the `@` is empty then.
    ("syft", "maven", lambda name, version: name == "", NO_VERSION),
    ("ours", "golang", lambda name, version: name == "github.com/anchore/syft", MAIN),
    ("syft", "golang", lambda name, version: name == "github.com/anchore/syft", MAIN),
    ("syft", "nuget", lambda name, version: name == "shop", "the program itself, which nobody publishes as a package"),
]
