"""The catalogue: small wrong programs, each with where and how its mistake is told, and with its right twin.

Both twins are one file of ``cases/``. What follows a line ``# wrong`` is in the wrong one alone, what follows
``# right`` in the right one alone, until ``# both``, or until a line that is indented less. A line
``# ! STAGE CODE: TEXT && TEXT`` says what the stage tells about the line below it, in the wrong twin; at the end of
the file, that it names no line. ``# ! STAGE strict CODE`` says that a type checker tells it in its strict mode alone;
of those that have no text here, the line and the code count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

__all__ = [
    "CASES",
    "CHECKERS",
    "HOLDOUT",
    "STAGES",
    "Case",
    "Checker",
    "Expected",
    "Stage",
    "Told",
    "Twin",
    "all_cases",
    "compare",
    "read_case",
    "write_cases",
]

Checker = Literal["mypy", "pyright", "basedpyright", "ty", "pyrefly", "zuban"]
Stage = Literal[Checker, "registration", "start-up"]
Twin = Literal["wrong", "right"]
CHECKERS: tuple[Checker, ...] = ("mypy", "pyright", "basedpyright", "ty", "pyrefly", "zuban")
STAGES: tuple[Stage, ...] = (*CHECKERS, "registration", "start-up")

CASES = Path(__file__).parent / "cases"
# Mistakes that were written down after the checks, as new users make them: what is told of mistakes nobody thought of.
HOLDOUT = CASES / "holdout"
MARK = re.compile(rf"\s*# ! (?P<stage>{'|'.join(STAGES)})(?P<strict> strict)? (?P<code>[^\s:]+)(?::(?P<parts>.*))?$")
_SECTION = re.compile(r"(?P<indent>\s*)# (?P<twin>wrong|right|both)$")


@dataclass(frozen=True, order=True)
class Told:
    """A mistake that a stage tells.

    Attributes:
        line: 0 where the mistake has no place in the program.
    """

    line: int
    code: str
    text: str = ""


@dataclass(frozen=True, order=True)
class Expected:
    """What a program says that a stage tells."""

    stage: Stage
    line: int
    code: str
    parts: tuple[str, ...]
    strict: bool = False

    def fits(self, told: Told) -> bool:
        """Whether it is this mistake."""
        return (self.line, self.code) == (told.line, told.code) and all(part in told.text for part in self.parts)


@dataclass(frozen=True)
class Case:
    """A mistake: the wrong program, the right one, and who tells it.

    Attributes:
        path: Its file.
        title: What is wrong, a sentence.
    """

    path: Path
    title: str
    wrong: str
    right: str
    expected: tuple[Expected, ...]

    @property
    def name(self) -> str:
        """Its name in its group."""
        return self.path.stem

    @property
    def group(self) -> str:
        """Its group."""
        return self.path.parent.name

    def module(self, twin: Twin) -> str:
        """The name of the module of one of its programs."""
        return f"{twin}_{self.group}_{self.name}"

    def stages(self, *, strict: bool = True) -> set[Stage]:
        """The stages that tell it; those that need no strict mode for it, without `strict`."""
        return {expected.stage for expected in self.expected if strict or not expected.strict}


def read_case(path: Path) -> Case:
    """The case of a file."""
    lines = path.read_text().splitlines()
    expected: list[Expected] = []
    for number, line in enumerate(lines):
        mark = MARK.match(line)
        if mark is not None:
            at = next((later for later in range(number + 1, len(lines)) if not MARK.match(lines[later])), -1)
            parts = tuple(part.strip() for part in (mark["parts"] or "").split(" && "))
            stage, strict = cast("Stage", mark["stage"]), mark["strict"] is not None
            expected.append(Expected(stage, at + 1, mark["code"], parts, strict))
    title = lines[0].strip('"')
    return Case(path, title, _twin(lines, "wrong"), _twin(lines, "right"), tuple(expected))


def _twin(lines: Iterable[str], which: Twin) -> str:
    """One of the two programs, its lines where they are in the file."""
    kept: list[str] = []
    section, indent = "both", 0
    for line in lines:
        start = _SECTION.match(line)
        if start is not None:
            section, indent = start["twin"], len(start["indent"])
        elif line and len(line) - len(line.lstrip()) < indent:
            section, indent = "both", 0
        kept.append(line if start is None and section in ("both", which) and not MARK.match(line) else "")
    return "\n".join(kept) + "\n"


def all_cases(folder: Path = CASES) -> list[Case]:
    """All cases below a folder, by group and name."""
    return [read_case(path) for path in sorted(folder.glob("*/*.py"))]


def write_cases(cases: Iterable[Case], folder: Path) -> None:
    """Write the programs as modules of a project of their own."""
    for case in cases:
        (folder / f"{case.module('wrong')}.py").write_text(case.wrong)
        (folder / f"{case.module('right')}.py").write_text(case.right)


def compare(expected: Iterable[Expected], told: Iterable[Told]) -> list[str]:
    """What was expected and not told, and what was told and not expected."""
    missing, surplus = list(expected), list(told)
    for one in list(surplus):
        fitting = next((mark for mark in missing if mark.fits(one)), None)
        if fitting is not None:
            missing.remove(fitting)
            surplus.remove(one)
    return [f"not told: {mark}" for mark in missing] + [f"not expected: {one}" for one in surplus]
