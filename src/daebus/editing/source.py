"""The tokens of a file, and the places in it. The code may be unfinished or wrong."""

from __future__ import annotations

import bisect
import operator
import re
from collections.abc import Sequence
from functools import cached_property

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
_EMPTY = ('""', "''")
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


_start = operator.attrgetter("start")


def _unchanged(text: str, before: str, tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens of the lines before the first difference between two texts."""
    # A line break right before it is none of them: an inserted line feed may belong to it.
    last = bisect.bisect_left(tokens, _common(text, before) - 2, key=_start)
    while last > 0 and tokens[last - 1].kind != "newline":
        last -= 1
    kept = tokens[:last]
    return () if any(map(_is_unclosed, kept, kept[1:])) else kept


def _common(text: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    least, most = 0, min(len(text), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if text[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _is_unclosed(token: Token, following: Token) -> bool:
    """Whether a token and the one behind it may begin a string of several lines, which a later line can close."""
    return token.text[-2:] in _EMPTY and token.end == following.start and following.text[0] == token.text[-1]


class Source:
    """A file as text.

    Args:
        text: Its content.
        before: The file before an edit, whose tokens are kept up to the edited line; None: it is not known.
    """

    def __init__(self, text: str, before: Source | None = None) -> None:
        self.text = text
        self._earlier = None if before is None else before.split()

    def split(self) -> tuple[str, Sequence[Token]] | None:
        """The last text that was split into tokens, and these; None: none was yet."""
        return (self.text, self.tokens) if "tokens" in self.__dict__ else self._earlier

    @cached_property
    def tokens(self) -> list[Token]:
        """All the tokens that are neither space nor comments."""
        kept: Sequence[Token] = () if self._earlier is None else _unchanged(self.text, *self._earlier)
        self._earlier = None
        found = ((one, one.lastindex) for one in _TOKEN.finditer(self.text, kept[-1].end if kept else 0))
        return [*kept, *(Token(_KINDS[kind], one[kind], one.start(kind)) for one, kind in found if kind is not None)]

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
