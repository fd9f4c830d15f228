"""What the text of a file says without being run: handlers, their parameters, names. It may be unfinished or wrong."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from .headers import Decorator, Header, Parameter, find_headers
from .source import CLOSING, OPENING, Source, Token

__all__ = ["Decorator", "Header", "Page", "Parameter", "Token", "Use"]


_FROM = re.compile(
    r"^from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?P<names>\((?P<inner>[^)]*)\)|[^\n(#]*)", re.MULTILINE
)
_DEFINED = re.compile(r"^(?:class|def|async def)[ \t]+(\w+)|^(\w+)\b[^=\n]*=", re.MULTILINE)
_NAME = re.compile(r"\w+")


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
    def from_imports(self) -> list[re.Match[str]]:
        """All ``from ... import ...``: the `module`, the `names`, and what is in their brackets, if any, as `inner`."""
        return [*_FROM.finditer(self.text)]

    @cached_property
    def top_names(self) -> frozenset[str]:
        """The names that the module imports or defines at its top level."""
        defined = (found[1] or found[2] for found in _DEFINED.finditer(self.text))
        return frozenset((*defined, *(name for one in self.from_imports for name in _NAME.findall(one["names"]))))

    @cached_property
    def headers(self) -> list[Header]:
        """The decorated functions, in their order."""
        return find_headers(self, self._kept_headers())

    def _kept_headers(self) -> list[Header]:
        """The first decorated functions that are those of the earlier text."""
        if self.earlier is None or self.kept == 0 or "headers" not in self.earlier.__dict__:
            return []
        last = self.tokens[self.kept - 1].start
        # The token behind a function says where it ends.
        return list(itertools.takewhile(lambda one: one.end < last, self.earlier.headers))

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
