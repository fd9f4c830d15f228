"""What the cursor is on: a provider, a contract, a handler."""

from __future__ import annotations

import re

import msgspec
from lsprotocol import types

from daebus.checking.snapshot import Contract, Handler, Provider
from daebus.editing.index import Index
from daebus.editing.syntax import Header, Page
from daebus.lsp.texts import Texts

__all__ = ["Subject", "find_subject"]

_NAME = re.compile(r"(?:Action|StreamAction|Channel|Message)\s*(?:\[[^\n]*\])?\s*\(\s*$")


class Subject(msgspec.Struct, frozen=True):
    """What the cursor is on, and its range in the text.

    Attributes:
        provider: The provider that the name means.
        contract: The contract that the name, or the string, means.
        handler: The handler of which it is the function or the decorator.
        is_string: Whether it is the name of a contract as a string.
    """

    path: str
    start: int
    end: int
    provider: Provider | None = None
    contract: Contract | None = None
    handler: Handler | None = None
    is_string: bool = False

    def range(self, index: Index, texts: Texts) -> types.Range:
        """Its range for the editor."""
        page = index.page(self.path)
        return texts.range(self.path, page.place(self.start), page.place(self.end))


def find_subject(index: Index, texts: Texts, path: str, at: types.Position) -> Subject | None:
    """What is at a position; None: nothing that daebus knows."""
    page = index.page(path)
    offset = page.offset(*texts.position(path, at))
    token = page.word(offset)
    if token is None:
        return None
    found = _Finder(index, path, page, offset)
    if token.kind == "string":
        return found.string(token.start, token.end)
    return found.service() or found.function() or found.name() or found.attribute(token.start, token.end)


class _Finder(msgspec.Struct, frozen=True):
    index: Index
    path: str
    page: Page
    offset: int

    def service(self) -> Subject | None:
        """A parameter right of the ``*``, or its name in the body of the handler."""
        header = self.page.header(self.offset)
        word = self.page.word(self.offset)
        if header is None or word is None:
            return None
        for parameter in header.parameters:
            inside = parameter.start <= self.offset <= parameter.end
            in_body = (
                header.closing < self.offset and word.text == parameter.name and not self._is_attribute(word.start)
            )
            if parameter.is_service and (inside or in_body):
                provider = self.index.provider(self.path, header, parameter)
                if provider is not None:
                    start, end = (parameter.start, parameter.end) if inside else (word.start, word.end)
                    return Subject(self.path, start, end, provider)
        return None

    def _is_attribute(self, start: int) -> bool:
        return self.page.text[:start].rstrip(" \t").endswith(".")

    def name(self) -> Subject | None:
        """A name that means a contract."""
        for use in self.page.uses:
            if use.start <= self.offset <= use.end:
                contract = self._contract(use.name)
                header = self._decorated(use.start)
                if contract is not None:
                    handler = None if header is None else self.index.handler(self.path, header)
                    return Subject(self.path, use.start, use.end, None, contract, handler)
        return None

    def function(self) -> Subject | None:
        """The function of a handler, or the name of its decorator."""
        header = self.page.header(self.offset)
        if header is None:
            return None
        on_name = header.name_start <= self.offset <= header.name_start + len(header.name)
        decorator = header.decorator
        on_decorator = decorator is not None and decorator.start <= self.offset <= decorator.opening
        handler = self.index.handler(self.path, header) if on_name or on_decorator else None
        if handler is None:
            return None
        start = header.name_start if on_name or decorator is None else decorator.start
        end = header.name_start + len(header.name) if on_name or decorator is None else decorator.opening
        contract = self.index.contracts().get(handler.contract or "")
        return Subject(self.path, start, end, None, contract, handler)

    def string(self, start: int, end: int) -> Subject | None:
        """The name of a contract, where it is created or in a decorator."""
        header = self._decorated(start)
        if header is not None and header.decorator is not None and header.decorator.first_start == start:
            handler = self.index.handler(self.path, header)
            contract = None if handler is None else self._by_key(handler.contract)
            if handler is not None:
                return Subject(self.path, start, end, None, contract, handler, is_string=True)
        if _NAME.search(self.page.text[max(0, start - 400) : start]):
            line = self.page.place(start)[0] + 1
            name = self.page.text[start:end].strip("\"'")
            for contract in self.index.contracts(self.path).values():
                near = contract.file == self.path and abs((contract.line or 0) - line) <= _NEAR
                if contract.name == name and near:
                    return Subject(self.path, start, end, None, contract, None, is_string=True)
        return None

    def attribute(self, start: int, end: int) -> Subject | None:
        """A provider in the body of its container, or behind the name of the container."""
        name = self.page.text[start:end]
        line = self.page.place(start)[0] + 1
        for provider in self.index.providers(self.path).values():
            if provider.name.rpartition(".")[2] != name:
                continue
            defined = provider.file == self.path and abs((provider.line or 0) - line) <= _NEAR
            before = self.page.text[self.page.text.rfind("\n", 0, start) + 1 : start]
            containers = [one.container for one in self.index.snapshots(self.path) if one.container]
            if (defined and not before.strip()) or any(re.search(rf"\b{one}\.$", before) for one in containers):
                return Subject(self.path, start, end, provider)
        return None

    def _decorated(self, offset: int) -> Header | None:
        """The function in whose decorators an offset is."""
        header = self.page.header(offset)
        return header if header is not None and offset < header.start else None

    def _contract(self, name: str) -> Contract | None:
        return self._by_key(self.index.key(self.path, name))

    def _by_key(self, key: str | None) -> Contract | None:
        return None if key is None else self.index.contracts().get(key)


# Lines by which a place may have moved since the last check.
_NEAR = 30
