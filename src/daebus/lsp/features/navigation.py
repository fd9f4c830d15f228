"""Navigation: definitions, references, code lenses and symbols, over all apps of the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from lsprotocol import types

from daebus.checking.snapshot import Contract, Handler, Provider
from daebus.editing.index import Index, Site
from daebus.editing.syntax import Header
from daebus.lsp.texts import Texts

from .subjects import Subject, find_subject
from .wording import counted, listed_doors

__all__ = ["define", "implement", "lenses", "refer", "symbols"]

_MOST_SYMBOLS = 500


def define(index: Index, texts: Texts, path: str, at: types.Position) -> list[types.Location]:
    """Where something is defined.

    From a parameter to its provider, from a provider to its factory; from a contract in a decorator to the contract,
    from any other use of it to its handlers, from a handler to its contract.
    """
    subject = find_subject(index, texts, path, at)
    if subject is None:
        return []
    if subject.provider is not None:
        return _of_provider(texts, subject, subject.provider, index)
    contract, handler = subject.contract, subject.handler
    if contract is not None and handler is not None:
        return [one for one in (_of_contract(index, texts, contract),) if one is not None]
    if contract is not None:
        return list(_of_handlers(index, texts, index.handlers(contract.key))) or [
            one for one in (_of_contract(index, texts, contract),) if one is not None
        ]
    return []


def implement(index: Index, texts: Texts, path: str, at: types.Position) -> list[types.Location]:
    """The handlers of a contract, and the factory of a provider."""
    subject = find_subject(index, texts, path, at)
    if subject is None:
        return []
    if subject.provider is not None:
        provider = subject.provider
        factory = _line(texts, provider.factory_file, provider.factory_line)
        return [] if factory is None else [factory]
    key = None if subject.contract is None else subject.contract.key
    return [] if key is None else list(_of_handlers(index, texts, index.handlers(key)))


def _of_provider(texts: Texts, subject: Subject, provider: Provider, index: Index) -> list[types.Location]:
    own = _line(texts, provider.file, provider.line)
    factory = _line(texts, provider.factory_file, provider.factory_line)
    on_itself = own is not None and provider.file == subject.path and _lines_apart(index, subject, provider) == 0
    wanted = factory if on_itself or own is None else own
    return [] if wanted is None else [wanted]


def _lines_apart(index: Index, subject: Subject, provider: Provider) -> int:
    return abs(index.page(subject.path).place(subject.start)[0] + 1 - (provider.line or 0))


def _line(texts: Texts, file: str | None, line: int | None) -> types.Location | None:
    """The code in a line of a file."""
    if file is None or line is None:
        return None
    lines = texts.lines(file)
    text = lines[line - 1].rstrip() if line <= len(lines) else ""
    indent = len(text) - len(text.lstrip())
    return types.Location(texts.uri(file), texts.range(file, (line - 1, indent), (line - 1, len(text))))


def _of_contract(index: Index, texts: Texts, contract: Contract) -> types.Location | None:
    """Where a contract is created: its name there, as the line may have moved."""
    path = contract.file
    if path is None:
        return None
    page = index.page(path)
    line = (contract.line or 1) - 1
    uses = [use for name in index.names_of(path, contract.key) for use in page.outermost_uses.get(name, ())]
    use = min(uses, key=lambda one: abs(page.place(one.start)[0] - line), default=None)
    if use is None:
        return _line(texts, path, contract.line)
    return types.Location(texts.uri(path), texts.range(path, page.place(use.start), page.place(use.end)))


def _of_handlers(index: Index, texts: Texts, handlers: Iterable[Handler]) -> Iterator[types.Location]:
    for handler in handlers:
        header = index.header(handler)
        if handler.file is not None and header is not None:
            yield types.Location(texts.uri(handler.file), _name_range(index, texts, handler.file, header))


def _name_range(index: Index, texts: Texts, path: str, header: Header) -> types.Range:
    page = index.page(path)
    return texts.range(path, page.place(header.name_start), page.place(header.name_start + len(header.name)))


def refer(index: Index, texts: Texts, path: str, at: types.Position) -> list[types.Location]:
    """All uses of a contract or of a provider in the workspace."""
    subject = find_subject(index, texts, path, at)
    if subject is None:
        return []
    if subject.provider is not None:
        return list(_provider_uses(index, texts, subject.provider))
    key = None if subject.contract is None else subject.contract.key
    sites = [] if key is None else list(index.sites(key))
    found = [_site(index, texts, site) for site in sites]
    named = {(one.uri, one.range.start.line) for one in found}
    handlers = _of_handlers(index, texts, () if key is None else index.handlers(key))
    return [*found, *(one for one in handlers if (one.uri, one.range.start.line) not in named)]


def _site(index: Index, texts: Texts, site: Site) -> types.Location:
    page = index.page(site.path)
    return types.Location(
        texts.uri(site.path), texts.range(site.path, page.place(site.use.start), page.place(site.use.end))
    )


def _provider_uses(index: Index, texts: Texts, provider: Provider) -> Iterator[types.Location]:
    own = _line(texts, provider.file, provider.line)
    if own is not None:
        yield own
    for path in index.files():
        if index.providers(path).get(provider.name) != provider:
            continue
        page = index.page(path)
        for header in page.headers:
            for parameter in header.parameters:
                if parameter.is_service and index.provider(path, header, parameter) == provider:
                    where = texts.range(path, page.place(parameter.start), page.place(parameter.name_end))
                    yield types.Location(texts.uri(path), where)


def lenses(index: Index, texts: Texts, path: str) -> list[types.CodeLens]:
    """Above each action and listener, and each contract, how often it is used in the workspace; and its doors."""
    page = index.page(path)
    found: list[types.CodeLens] = []
    taken: set[int] = set()
    for header in page.headers:
        handler = index.handler(path, header)
        if handler is not None and handler.contract is not None:
            name = _name_range(index, texts, path, header)
            found.append(_lens(index, name, handler.contract, index.doors(handler)))
            # A decorator with a name makes the contract itself.
            first = min([page.place(decorator.start)[0] for decorator in header.decorators], default=name.start.line)
            taken.update(range(first, name.start.line + 1))
    for contract in index.contracts(path).values():
        where = _of_contract(index, texts, contract) if contract.file == path else None
        if where is not None and where.range.start.line not in taken:
            found.append(_lens(index, where.range, contract.key))
    return found


def _lens(index: Index, where: types.Range, key: str, doors: Sequence[Handler] = ()) -> types.CodeLens:
    counts = index.counts(key)
    listeners = sum(one.kind == "listen" for one in index.handlers(key))
    noun = "publishers" if key.startswith("channel ") else "senders" if key.startswith("message ") else "callers"
    used = counted(counts, listeners) or f"no {noun} in the workspace"
    return types.CodeLens(where, types.Command(" · ".join([used, *([listed_doors(doors)] if doors else [])]), ""))


def symbols(index: Index, texts: Texts, query: str) -> list[types.WorkspaceSymbol]:
    """The actions, routes, channels and other handlers whose title contains all the letters of a query in order.

    Of many, only the first: editors ask again when more of the query is typed.
    """
    return list(islice(_symbols(index, texts, query), _MOST_SYMBOLS))


def _symbols(index: Index, texts: Texts, query: str) -> Iterator[types.WorkspaceSymbol]:
    for handler in index.handlers():
        header = index.header(handler) if _matches(query, handler.title) else None
        if handler.file is not None and header is not None:
            location = types.Location(texts.uri(handler.file), _name_range(index, texts, handler.file, header))
            kind = types.SymbolKind.Event if handler.kind == "listen" else types.SymbolKind.Function
            yield types.WorkspaceSymbol(location, handler.title, kind, container_name=handler.blueprint)
    for contract in index.contracts().values():
        title = f"{contract.kind} {contract.name}"
        where = _of_contract(index, texts, contract) if _matches(query, title) else None
        if where is not None:
            yield types.WorkspaceSymbol(where, title, types.SymbolKind.Interface)


def _matches(query: str, title: str) -> bool:
    letters = iter(title.lower())
    return all(letter in letters for letter in query.lower() if not letter.isspace())
