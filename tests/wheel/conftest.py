"""The projects in here are for ``nox -s wheel``."""

collect_ignore = ["project", "stranger"]
