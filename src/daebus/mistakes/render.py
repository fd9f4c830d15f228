"""Rendering of a mistake: the source line, a caret under the wrong part, the finding and the remedy."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from .places import Place, show_path
from .sources import Span, line_at

__all__ = ["Note", "render", "span_of", "wants_colour"]

# Long lists of available names are wrapped at this many columns.
_WIDTH = 110
_RESET = "\x1b[0m"
_BOLD, _RED, _BLUE, _GREEN, _YELLOW = "\x1b[1m", "\x1b[1;31m", "\x1b[1;34m", "\x1b[1;32m", "\x1b[1;33m"


class Note(NamedTuple):
    """A further fact about a mistake, with its place, if it has one."""

    text: str
    where: str | None = None


def span_of(where: str | None) -> Span | None:
    """The piece of source at a place; None if it is not known or cannot be read."""
    return where.span() if isinstance(where, Place) else None


def wants_colour(stream: TextIO) -> bool:
    """Whether text for a stream may be coloured: it is a terminal, and NO_COLOR does not forbid it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render(
    heading: tuple[str, str], where: str, notes: Sequence[Note], remedy: str, *, colour: bool, word: str = "error"
) -> str:
    """One mistake, in several lines.

    Args:
        heading: The kind of the mistake and the wrong part.
        where: Its place; the source is shown if it can be read.
        notes: Further facts; those with a place are shown there.
        remedy: What to do.
        colour: Whether to mark it up for a terminal.
        word: Its severity.
    """
    span = span_of(where)
    spans = [one for one in (span, *(span_of(note.where) for note in notes)) if one is not None]
    page = _Page(max((len(str(one.line)) for one in spans), default=1), colour=colour)
    code, message = heading
    lines = [page.ink(_RED if word == "error" else _YELLOW, f"{word}[{code}]") + page.ink(_BOLD, f": {message}")]
    lines += [page.arrow("-->", where)] if span is None else page.snippet("-->", span, (_RED, "^", ""))
    facts: list[tuple[str, str]] = []
    for note in notes:
        shown = span_of(note.where)
        if shown is not None:
            lines += page.snippet(":::", shown, (_BLUE, "-", note.text))
        else:
            facts.append(("note", note.text if note.where is None else f"{note.text} ({note.where})"))
    if spans:
        lines.append(page.row(None, ""))
    lines += [page.fact(_BOLD, word, text) for word, text in facts]
    return "\n".join([*lines, page.fact(_GREEN, "help", remedy)])


class _Page:
    """Writes the lines of one mistake, with the line numbers in a column of this width."""

    def __init__(self, width: int, *, colour: bool) -> None:
        self._width = width
        self._colour = colour

    def ink(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self._colour and text else text

    def row(self, number: int | None, text: str) -> str:
        edge = f"{'' if number is None else number:>{self._width}} |"
        return f"{self.ink(_BLUE, edge)} {text}".rstrip()

    def arrow(self, sign: str, where: str) -> str:
        return f"{' ' * self._width}{self.ink(_BLUE, sign)} {where}"

    def fact(self, style: str, word: str, text: str) -> str:
        first = f"{' ' * self._width} {self.ink(_BLUE, '=')} {self.ink(style, word)}: "
        indent = self._width + len(word) + 5
        lines = _wrapped(text, _WIDTH - indent) if word == "note" else [text]
        return first + f"\n{' ' * indent}".join(lines)

    def snippet(self, sign: str, span: Span, mark: tuple[str, str, str]) -> Iterator[str]:
        """A piece of source below its place, underlined, with a label behind the line."""
        style, character, label = mark
        yield self.arrow(sign, f"{show_path(span.path)}:{span.line}:{span.column}")
        yield self.row(None, "")
        if span.opening < span.line:
            yield self.row(span.opening, line_at(span.path, span.opening))
        if span.opening < span.line - 1:
            yield self.row(None, "...")
        text = line_at(span.path, span.line)
        yield self.row(span.line, text)
        start = span.column - 1
        end = span.end_column - 1 if span.end_line == span.line else len(text)
        before = "".join(one if one == "\t" else " " * _columns(one) for one in text[:start])
        under = character * max(1, sum(map(_columns, text[start:end])))
        yield self.row(None, before + self.ink(style, f"{under} {label}".rstrip()))


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines; each line of the list, except the last, ends with a comma."""
    lines = [""]
    for item in text.split(", "):
        if lines[-1] and len(lines[-1]) + len(item) + 1 > width:
            lines.append("")
        lines[-1] += f"{item}, "
    return [*(line.rstrip() for line in lines[:-1]), lines[-1].removesuffix(", ")]


def _columns(character: str) -> int:
    """How many columns a character takes on a terminal."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
