"""The decorated functions of a file, with their decorators and parameters, also where the code is unfinished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from .source import CLOSING, OPENING, Source, Token

__all__ = ["Decorator", "Header", "Parameter", "find_headers"]

_STATEMENTS = {"def", "async", "class", "@"}


class Parameter(msgspec.Struct, frozen=True, gc=False):
    """A parameter of a handler, from `start` to `end`; `annotation` and `default` are code, empty if there is none."""

    name: str
    start: int
    end: int
    annotation: str
    default: str
    is_service: bool

    @property
    def name_end(self) -> int:
        """The offset behind its name."""
        return self.start + len(self.name)


class Decorator(msgspec.Struct, frozen=True, gc=False):
    """A decorator such as ``@users.action(GET_USER, timeout=3)``.

    Attributes:
        owner: What is before the last dot: ``users``.
        kind: What is behind it: ``action``.
        first: The first argument, as code; empty: there is none.
        first_start: Where the first argument begins.
        opening: Where its bracket opens; `end`: it has none.
        end: Where it ends.
    """

    owner: str
    kind: str
    first: str
    first_start: int
    start: int
    opening: int
    end: int


class Header(msgspec.Struct, frozen=True, gc=False):
    """The definition of a function, down to the end of its body.

    Attributes:
        star: Where the bare ``*`` is; None: there is none.
        opening: Where the bracket of its parameters opens.
        closing: Where it closes, or where the unfinished parameters end.
        is_closed: Whether it is closed.
        end: Where the body ends.
    """

    name: str
    name_start: int
    start: int
    is_async: bool
    decorators: Sequence[Decorator]
    parameters: Sequence[Parameter]
    star: int | None
    opening: int
    closing: int
    is_closed: bool
    end: int

    @property
    def decorator(self) -> Decorator | None:
        """The decorator that may record it: the outermost one with a dot."""
        return next((one for one in self.decorators if one.owner), None)

    @property
    def left(self) -> list[Parameter]:
        """The parameters left of the ``*``."""
        return [one for one in self.parameters if not one.is_service]

    @property
    def right(self) -> list[Parameter]:
        """The parameters right of the ``*``."""
        return [one for one in self.parameters if one.is_service]


def find_headers(source: Source, known: Sequence[Header] = ()) -> list[Header]:
    """The decorated functions of a file, in their order.

    Args:
        source: The file.
        known: The first of them, which are not looked for again.
    """
    behind = source.index(known[-1].closing) if known else 0
    return [*known, *_Headers(source).find(behind)]


class _Headers:
    """Finds the functions of a page."""

    def __init__(self, page: Source) -> None:
        self._page = page
        self._tokens = page.tokens

    def find(self, behind: int) -> Iterator[Header]:
        decorators: list[Decorator] = []
        for index in self._page.line_starts:
            if index < behind or index >= len(self._tokens):
                continue
            text = self._tokens[index].text
            if text == "@":
                decorator, behind = self._decorator(index)
                decorators.append(decorator)
            elif text in ("def", "async") and decorators:
                header, behind = self._header(index, decorators)
                decorators = []
                if header is not None:
                    yield header
            elif self._tokens[index].kind != "newline":
                decorators = []

    def _begins_line(self, index: int) -> bool:
        return index == 0 or self._tokens[index - 1].kind == "newline"

    def _bracket(self, index: int) -> tuple[int, bool]:
        """The index of the bracket that closes the one at an index, or of the token where unfinished code ends."""
        depth = 0
        for at in range(index, len(self._tokens)):
            token = self._tokens[at]
            if token.text in _STATEMENTS and at > index and self._begins_line(at):
                return at, False
            if token.text in OPENING:
                depth += 1
            elif token.text in CLOSING:
                depth -= 1
                if depth == 0:
                    return at, True
        return len(self._tokens), False

    def _offset(self, index: int) -> int:
        """The offset where unfinished code before a token ends: before the line break, if there is one."""
        return self._tokens[index].start - 1 if index < len(self._tokens) else len(self._page.text)

    def _decorator(self, index: int) -> tuple[Decorator, int]:
        at = index + 1
        while at < len(self._tokens) and (self._tokens[at].kind == "name" or self._tokens[at].text == "."):
            at += 1
        start = self._tokens[index].start
        owner, _, kind = "".join(token.text for token in self._tokens[index + 1 : at]).rpartition(".")
        if at >= len(self._tokens) or self._tokens[at].text != "(":
            end = self._tokens[at - 1].end
            return Decorator(owner, kind, "", end, start, end, end), at
        closing, is_closed = self._bracket(at)
        end = self._tokens[closing].end if is_closed else self._offset(closing)
        first = next(self._split(at + 1, closing), list[Token]())
        code = self._code(first)
        opening = self._tokens[at].start
        return Decorator(owner, kind, code, first[0].start if first else opening + 1, start, opening, end), (
            closing + 1 if is_closed else closing
        )

    def _header(self, index: int, decorators: Sequence[Decorator]) -> tuple[Header | None, int]:
        start, is_async = self._tokens[index].start, self._tokens[index].text == "async"
        at = index + 1 + is_async
        if at + 1 >= len(self._tokens) or self._tokens[at].kind != "name" or self._tokens[at + 1].text != "(":
            return None, index + 1
        name = self._tokens[at]
        opening = at + 1
        closing, is_closed = self._bracket(opening)
        parameters, star = self._parameters(opening + 1, closing)
        end = self._body(closing, self._page.indent(start)) if is_closed else self._offset(closing)
        header = Header(
            name=name.text,
            name_start=name.start,
            start=start,
            is_async=is_async,
            decorators=tuple(decorators),
            parameters=parameters,
            star=star,
            opening=self._tokens[opening].start,
            closing=self._tokens[closing].start if is_closed else self._offset(closing),
            is_closed=is_closed,
            end=end,
        )
        return header, closing

    def _body(self, closing: int, indent: int) -> int:
        """Where the body ends behind the parameters."""
        depth = 0
        begins = False
        for at in range(closing + 1, len(self._tokens)):
            token = self._tokens[at]
            if token.kind == "newline":
                begins = True
                continue
            if token.kind == "op":
                depth += (token.text in OPENING) - (token.text in CLOSING)
            if begins:
                begins = False
                column = self._page.place(token.start)[1]
                if column <= indent and (depth <= 0 or token.text in _STATEMENTS):
                    return token.start - 1
        return len(self._page.text)

    def _parameters(self, first: int, last: int) -> tuple[tuple[Parameter, ...], int | None]:
        found: list[Parameter] = []
        star: int | None = None
        for part in self._split(first, last):
            if part[0].text == "*" and len(part) == 1:
                star = part[0].start
            elif part[0].kind == "name":
                found.append(self._parameter(part, is_service=star is not None))
        return tuple(found), star

    def _parameter(self, part: Sequence[Token], *, is_service: bool) -> Parameter:
        depth, equals, colon = 0, len(part), len(part)
        for index, token in enumerate(part):
            depth += (token.text in OPENING) - (token.text in CLOSING)
            if depth == 0 and token.text == "=" and equals == len(part):
                equals = index
            elif depth == 0 and token.text == ":" and colon == len(part):
                colon = index
        annotation = self._code(part[colon + 1 : equals]) if colon < equals else ""
        return Parameter(
            part[0].text, part[0].start, part[-1].end, annotation, self._code(part[equals + 1 :]), is_service
        )

    def _split(self, first: int, last: int) -> Iterator[list[Token]]:
        """The parts between commas, without line breaks."""
        depth, part = 0, list[Token]()
        for token in self._tokens[first:last]:
            depth += (token.text in OPENING) - (token.text in CLOSING)
            if depth == 0 and token.text == ",":
                if part:
                    yield part
                part = []
            elif token.kind != "newline":
                part.append(token)
        if part:
            yield part

    def _code(self, part: Sequence[Token]) -> str:
        return self._page.text[part[0].start : part[-1].end] if part else ""
