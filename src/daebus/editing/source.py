"""The tokens of a file, and the places in it. The code may be unfinished or wrong."""

from __future__ import annotations

import bisect
import itertools
import operator
import re
from functools import cached_property
from typing import Self

import msgspec

__all__ = ["CLOSING", "OPENING", "Source", "Token"]

# What is between tokens is skipped in the same match, without going back: a comment is never taken for a name.
_TOKEN = re.compile(
    r"""
    (?>[ \t\f]+|\\\r?\n|\#[^\n]*)*+
    (?:(?P<string>[rbfuRBFU]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}
      |\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?))
    |(?P<name>\w+)
    |(?P<newline>\r?\n|\r)
    |(?P<op>->|\*\*|.)
    |\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = ("", *_TOKEN.groupindex)
OPENING, CLOSING = "([{", ")]}"
_AHEAD = 3
"""How many characters behind a token can decide what it is: the line break behind a backslash, with what follows."""


class Token(msgspec.Struct, frozen=True, gc=False):
    """A token and its place; offsets count characters from the beginning of the text."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.start + len(self.text)


_start = operator.attrgetter("start")
_end = operator.attrgetter("end")


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _is_open(string: Token, text: str) -> bool:
    """Whether an empty string is the beginning of one in three quotes that has no end yet."""
    return string.text[-2:] in ('""', "''") and text[string.end : string.end + 1] == string.text[-1]


class Source:
    """A file as text.

    Args:
        text: Its content.
        earlier: The file before an edit. What is before the edit is not read again.
    """

    def __init__(self, text: str, earlier: Self | None = None) -> None:
        self.text = text
        if earlier is not None and "tokens" not in earlier.__dict__:
            earlier = earlier.earlier
        if earlier is not None:
            earlier.earlier = None  # or each version would be kept
        self.earlier: Self | None = earlier

    @cached_property
    def tokens(self) -> list[Token]:
        """All the tokens that are neither space nor comments."""
        kept = [] if self.earlier is None else self.earlier.tokens[: self.kept]
        found = ((one, one.lastindex) for one in _TOKEN.finditer(self.text, kept[-1].end if kept else 0))
        kept += [Token(_KINDS[kind], one[kind], one.start(kind)) for one, kind in found if kind is not None]
        return kept

    @cached_property
    def kept(self) -> int:
        """The number of the first tokens that are those of the earlier text, as nothing has changed in them."""
        if self.earlier is None:
            return 0
        changed = _common(self.earlier.text, self.text)
        last = bisect.bisect_left(self.earlier.tokens, changed - _AHEAD, key=_end)
        before = itertools.islice(self.earlier.tokens, last)
        return next((at for at, one in enumerate(before) if one.kind == "string" and _is_open(one, self.text)), last)

    @cached_property
    def line_starts(self) -> list[int]:
        """The indices of the tokens that begin a line."""
        return [0, *(index for index, token in enumerate(self.tokens, 1) if token.kind == "newline")]

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(one.end() for one in re.finditer(r"\r\n|\r|\n", self.text))]

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column, both from 0."""
        return min(self._lines[min(line, len(self._lines) - 1)] + column, len(self.text))

    def place(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset, both from 0."""
        line = bisect.bisect_right(self._lines, offset) - 1
        return line, offset - self._lines[line]

    def indent(self, offset: int) -> int:
        """The column of the first character of the line of an offset."""
        start = self._lines[self.place(offset)[0]]
        return len(self.text) - start - len(self.text[start:].lstrip(" \t"))

    def index(self, offset: int) -> int:
        """The number of tokens that begin before an offset."""
        return bisect.bisect_left(self.tokens, offset, key=_start)

    def word(self, offset: int) -> Token | None:
        """The name or string at an offset, also directly before it."""
        for index in (self.index(offset + 1) - 1, self.index(offset) - 1):
            token = self.tokens[index] if 0 <= index < len(self.tokens) else None
            if token is not None and token.kind in ("name", "string") and token.start <= offset <= token.end:
                return token
        return None
