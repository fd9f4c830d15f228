"""The mistakes of an input, as they are reported to its sender: one form for all transports."""

from __future__ import annotations

import json
import re

import msgspec

from daebus.errors import BadRequest

__all__ = ["PAYLOAD", "Mistake", "Mistakes", "extend_path"]

PAYLOAD = "payload"
"""The place of mistakes in messages, both of the bus and of a WebSocket."""

_MOST = 20
_LONGEST_NAME = 64
_LONGEST_PROBLEM = 300
_NAME = re.compile(r"[^\W\d][\w-]*")


class Mistake(msgspec.Struct, frozen=True):
    """One mistake, as clients get it.

    Attributes:
        place: The part of the message or request: the ``payload`` of a message, or the ``body``, ``path``, ``query``,
            ``header`` or ``cookie`` of a request, or the name of a ``room``.
        path: The position in that part, such as ``$.items[2].price``, or the name of a parameter.
        problem: What is wrong, and what was expected.
    """

    place: str = msgspec.field(name="in")
    path: str
    problem: str

    @property
    def sentence(self) -> str:
        """The mistake in words."""
        problem = self.problem[:1].lower() + self.problem[1:]
        is_missing = self.problem.startswith("Missing")
        if self.path[:1] != "$":
            what = f"{self.place} {'' if self.place in ('header', 'cookie') else 'parameter '}`{self.path}`"
            return f"The {what} is {problem}" if is_missing else f"Invalid {what}: {problem}"
        if is_missing and self.path == "$":
            return f"The {self.place} is {problem}"
        place = "" if self.place == PAYLOAD else f" in the {self.place}"
        if is_missing:
            return f"Missing value at `{self.path}`{place}{problem.removeprefix('missing').replace(',', ':', 1)}"
        return f"Invalid value at `{self.path}`{place}: {problem}"


class Mistakes(msgspec.Struct):
    """The mistakes of one message or request.

    Attributes:
        found: The mistakes, the first 20 at most.
        is_cut: Whether there may be more.
    """

    found: list[Mistake] = []
    is_cut: bool = False

    @property
    def is_full(self) -> bool:
        """Whether no more mistakes are accepted."""
        return len(self.found) >= _MOST

    @property
    def sentence(self) -> str:
        """The first mistake in words, and how many more there are."""
        first, more = self.found[0].sentence, len(self.found) - 1
        if not more:
            return first
        return f"{first}, and {'at least ' * self.is_cut}{more} more mistake{'s' * (more > 1)}"

    @property
    def details(self) -> dict[str, object]:
        """All mistakes, for programs."""
        found: dict[str, object] = {"errors": msgspec.to_builtins(self.found)}
        return {**found, "more": True} if self.is_cut else found

    def as_error(self) -> BadRequest:
        """The error for the sender."""
        return BadRequest(self.sentence, details=self.details)

    def add(self, place: str, path: str, problem: str) -> None:
        """Add a mistake; after the twentieth, only the fact that there are more is kept."""
        if self.is_full:
            self.is_cut = True
            return
        if len(problem) > _LONGEST_PROBLEM:  # it may quote the input
            problem = f"{problem[:_LONGEST_PROBLEM]}…"
        self.found.append(Mistake(place, path.removeprefix(".") or "$", problem))

    def take(self, others: Mistakes) -> None:
        """Add mistakes that were found elsewhere in the same request."""
        for mistake in others.found:
            self.add(mistake.place, mistake.path, mistake.problem)
        self.is_cut = self.is_cut or others.is_cut


def extend_path(path: str, name: str | int) -> str:
    """The path of a field or an item. Names that senders chose are shortened, without control characters."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}…"
    return f"{path}.{name}" if _NAME.fullmatch(name) and name.isascii() else f"{path}[{json.dumps(name)}]"
