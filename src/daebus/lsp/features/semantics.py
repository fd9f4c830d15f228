"""Semantic tokens: what comes from the message, and what from the container."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from daebus.editing.index import Index
from daebus.editing.syntax import Header
from daebus.lsp.texts import Texts

__all__ = ["LEGEND", "semantic_tokens"]

LEGEND = types.SemanticTokensLegend(["parameter", "variable", "operator"], ["message", "service"])
_MESSAGE, _SERVICE = 1, 2
_PARAMETER, _VARIABLE, _OPERATOR = range(3)


def semantic_tokens(index: Index, texts: Texts, path: str) -> types.SemanticTokens:
    """The parameters of handlers: left of the ``*`` with the modifier ``message``, right of it with ``service``."""
    page = index.page(path)
    data: list[int] = []
    line = column = 0
    for start, length, kind, modifiers in _marks(index, path):
        where = texts.range(path, page.place(start), page.place(start + length))
        at = where.start
        same = at.line == line
        data += [at.line - line, at.character - column if same else at.character]
        data += [where.end.character - at.character, kind, modifiers]
        line, column = at.line, at.character
    return types.SemanticTokens(data)


def _marks(index: Index, path: str) -> Iterator[tuple[int, int, int, int]]:
    for header in index.page(path).headers:
        if index.handler(path, header) is not None:
            yield from _marks_of(header)


def _marks_of(header: Header) -> Iterator[tuple[int, int, int, int]]:
    star_told = header.star is None
    for parameter in header.parameters:
        if not star_told and header.star is not None and header.star < parameter.start:
            star_told = True
            yield header.star, 1, _OPERATOR, _SERVICE
        kind, modifier = (_VARIABLE, _SERVICE) if parameter.is_service else (_PARAMETER, _MESSAGE)
        yield parameter.start, len(parameter.name), kind, modifier
