"""The tokens of a file, and the places in it. The code may be unfinished or wrong."""

from __future__ import annotations

import bisect
import re
from functools import cached_property

import msgspec

__all__ = ["CLOSING", "OPENING", "Source", "Token"]

_TOKEN = re.compile(
    r"""
    (?P<string>[rbfuRBFU]{0,2}(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}
      |\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?))
    |(?P<comment>\#[^\n]*)
    |(?P<name>\w+)
    |(?P<newline>\r?\n|\r)
    |(?P<space>[ \t\f]+|\\\r?\n)
    |(?P<op>->|\*\*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
OPENING, CLOSING = "([{", ")]}"


class Token(msgspec.Struct, frozen=True, gc=False):
    """A token and its place; offsets count characters from the beginning of the text."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.start + len(self.text)


class Source:
    """A file as text.

    Args:
        text: Its content.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def tokens(self) -> list[Token]:
        """All the tokens that are neither space nor comments."""
        found = (Token(one.lastgroup or "op", one[0], one.start()) for one in _TOKEN.finditer(self.text))
        return [token for token in found if token.kind not in ("space", "comment")]

    @cached_property
    def _starts(self) -> list[int]:
        return [token.start for token in self.tokens]

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
        return bisect.bisect_left(self._starts, offset)

    def word(self, offset: int) -> Token | None:
        """The name or string at an offset, also directly before it."""
        for index in (self.index(offset + 1) - 1, self.index(offset) - 1):
            token = self.tokens[index] if 0 <= index < len(self.tokens) else None
            if token is not None and token.kind in ("name", "string") and token.start <= offset <= token.end:
                return token
        return None
