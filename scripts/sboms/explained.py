"""Why only one side finds a package: who finds it, its kind, which names and versions, and the reason."""

EXPLAINED = [
]
