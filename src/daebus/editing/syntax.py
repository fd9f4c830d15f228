"""What the text of a file says without being run: handlers, their parameters, names. It may be unfinished or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec

from .headers import Decorator, Header, Parameter, find_headers
from .source import CLOSING, OPENING, Source, Token

__all__ = ["Decorator", "Header", "Page", "Parameter", "Token", "Use"]


class Use(msgspec.Struct, frozen=True, gc=False):
    """A name in the text, such as ``contracts.GET_USER``.

    Attributes:
        call: The method in whose call it is the first or second argument; empty: in none.
    """

    name: str
    start: int
    end: int
    call: str


class Page(Source):
    """A file as text, with its functions and names."""

    @cached_property
    def headers(self) -> list[Header]:
        """The decorated functions, in their order."""
        return find_headers(self)

    @cached_property
    def headers_by_name(self) -> dict[str, list[Header]]:
        """The decorated functions of each name."""
        found: dict[str, list[Header]] = {}
        for header in self.headers:
            found.setdefault(header.name, []).append(header)
        return found

    def header(self, offset: int) -> Header | None:
        """The decorated function, with its decorators and its body, that an offset is in."""
        found = [one for one in self.headers if one.decorators[0].start <= offset <= one.end]
        return found[-1] if found else None

    @cached_property
    def uses(self) -> list[Use]:
        """All the dotted names."""
        return list(self._uses())

    @cached_property
    def outermost_uses(self) -> dict[str, list[Use]]:
        """The uses of each dotted name at the beginning of a line."""
        found: dict[str, list[Use]] = {}
        for use in self.uses:
            if use.start == 0 or self.text[use.start - 1] in "\r\n":
                found.setdefault(use.name, []).append(use)
        return found

    def _uses(self) -> Iterator[Use]:
        tokens, index = self.tokens, 0
        calls: list[tuple[str, int]] = []
        while index < len(tokens):
            token = tokens[index]
            if token.text in OPENING:
                is_call = index >= 2 and tokens[index - 1].kind == "name" and tokens[index - 2].text == "."
                calls.append((tokens[index - 1].text if token.text == "(" and is_call else "", 0))
            elif token.text in CLOSING and calls:
                calls.pop()
            elif token.text == "," and calls:
                calls[-1] = (calls[-1][0], calls[-1][1] + 1)
            elif token.kind == "name" and (index == 0 or tokens[index - 1].text != "."):
                last = index
                while last + 2 < len(tokens) and tokens[last + 1].text == "." and tokens[last + 2].kind == "name":
                    last += 2
                name = "".join(one.text for one in tokens[index : last + 1])
                call = calls[-1][0] if calls and calls[-1][1] < 2 else ""
                yield Use(name, token.start, tokens[last].end, call)
                index = last
            index += 1
