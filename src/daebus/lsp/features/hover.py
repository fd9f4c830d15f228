"""Hover: what a name means for daebus; inlay hints with the kinds of providers."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from daebus.editing.index import Index
from daebus.lsp.texts import Texts

from .subjects import Subject, find_subject
from .wording import contract_text, counted, handler_text, markdown, provider_text

__all__ = ["hints", "hover"]


def hover(index: Index, texts: Texts, path: str, at: types.Position) -> types.Hover | None:
    """What is at a position."""
    subject = find_subject(index, texts, path, at)
    if subject is None:
        return None
    return types.Hover(markdown("\n\n---\n\n".join(_texts(index, subject))), subject.range(index, texts))


def _texts(index: Index, subject: Subject) -> Iterator[str]:
    if subject.provider is not None:
        yield provider_text(subject.provider)
    contract, handler = subject.contract, subject.handler
    key = contract.key if contract is not None else None if handler is None else handler.contract
    counts = {} if key is None else index.counts(key)
    listeners = 0 if key is None else sum(one.kind == "listen" for one in index.handlers(key))
    if handler is not None:
        used = counted(counts, listeners)
        yield handler_text(handler, index.providers(subject.path), used, index.doors(handler))
    if contract is not None and handler is None:
        yield contract_text(contract, counts, listeners)
        for served in index.handlers(contract.key):
            yield handler_text(served, index.providers(served.file or ""), doors=index.doors(served))


def hints(index: Index, texts: Texts, path: str, shown: types.Range) -> list[types.InlayHint]:
    """The kind of the provider behind each parameter right of the ``*`` in a range."""
    page = index.page(path)
    first, last = (page.offset(*texts.position(path, at)) for at in (shown.start, shown.end))
    found: list[types.InlayHint] = []
    for header in page.headers:
        for parameter in header.parameters:
            if not parameter.is_service or not first <= parameter.start <= last:
                continue
            provider = index.provider(path, header, parameter)
            if provider is not None and index.handler(path, header) is not None:
                at = page.place(parameter.end)
                where = texts.range(path, at, at).start
                tooltip = markdown(provider_text(provider))
                found.append(types.InlayHint(where, provider.kind, tooltip=tooltip, padding_left=True))
    return found
