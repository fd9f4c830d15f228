"""What a recorded session of an editor consists of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lsp.sessions.terminal import Terminal
from tests.processes import EXAMPLES

__all__ = ["USERS", "Session", "copy_example"]

USERS = "user_service/blueprints/users.py"
"""The file of examples/users that is edited."""


@dataclass(frozen=True)
class Session:
    """A session.

    Attributes:
        command: The editor, with its settings and the file.
        prepare: Writes the project into a folder.
        record: Types, and yields the title of each picture with the picture.
    """

    command: Sequence[str]
    prepare: Callable[[Path], None]
    record: Callable[[Terminal], Iterator[tuple[str, str]]]


def copy_example(folder: Path) -> None:
    """Copy examples/users."""
    shutil.copytree(EXAMPLES / "users", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text('[tool.daebus]\napp = "app:app"\n')
