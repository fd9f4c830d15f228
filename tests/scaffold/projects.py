"""``python -m tests.scaffold.projects``: each project that ``daebus new`` can write passes its own checks."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from daebus.scaffold.rendering import Answers, render

__all__ = ["combinations"]

_PROGRAMS = (
    ("ruff", "check", "--quiet"),
    ("ruff", "format", "--check", "--quiet"),
    ("mypy", "--no-error-summary"),
    ("basedpyright", "--pythonpath", sys.executable),
    ("daebus", "check", "my_notes.app:app"),
    ("pytest", "-q"),
)


def combinations() -> list[Answers]:
    """All combinations of the options."""
    options = itertools.product(
        (True, False), (True, False), ("none", "sqlite", "postgres"), ("by-feature", "by-protocol")
    )
    names = Answers.__struct_fields__
    return [msgspec.convert(dict(zip(names, ("my-notes", *chosen), strict=True)), Answers) for chosen in options]


def main() -> int:
    """Check all of them. Returns how many are wrong."""
    wrong = 0
    environment = {**os.environ, "PYTHONPATH": "src"}
    for answers in combinations():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "project")
            render(answers, folder)
            for program, *arguments in _PROGRAMS:
                command = [str(Path(sys.executable).with_name(program)), *arguments]
                done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                if done.returncode:
                    click.echo(f"{answers}: {program} {' '.join(arguments)}\n{done.stdout}{done.stderr}")
                    wrong += 1
        click.echo(f"{answers}: done")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
