"""The files of a project, from the templates of this version of daebus. Needs the extra ``daebus[new]``."""

from __future__ import annotations

import keyword
import re
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec
from copier import run_copy

from daebus.errors import ConfigurationError

__all__ = ["ANSWERS", "Answers", "render"]

ANSWERS = ".daebus-new.yml"
"""The file of a project with the answers that it was made with."""

_TEMPLATE = Path(__file__).with_name("template")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


class Answers(msgspec.Struct, frozen=True):
    """What a project is to have.

    Attributes:
        name: The name of the service; the name of its package has ``_`` in the place of ``-``.
        http: Whether it has HTTP routes.
        socket: Whether it has WebSocket messages.
        database: Its database, by SQLAlchemy.
        layout: How its handlers are divided into modules.
    """

    name: str
    http: bool = True
    socket: bool = False
    database: Literal["none", "sqlite", "postgres"] = "none"
    layout: Literal["by-feature", "by-protocol"] = "by-feature"

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` if the name cannot be the name of a package."""
        if not _NAME.fullmatch(self.name) or keyword.iskeyword(self.name) or self.name == "daebus":
            raise ConfigurationError(
                f"A project cannot be named {self.name!r}: use lower-case letters, digits and '-', as in 'my-shop'."
            )


def render(answers: Answers, folder: Path) -> None:
    """Write the files of a project into an empty folder."""
    given = {**msgspec.structs.asdict(answers), "daebus": version("daebus")}
    run_copy(str(_TEMPLATE), folder, data=given, defaults=True, quiet=True)
