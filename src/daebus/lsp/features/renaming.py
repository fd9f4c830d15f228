"""Renaming of a provider, an action, a channel or a message, over all apps of the workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lsprotocol import types

from daebus.checking.snapshot import Contract, Provider
from daebus.editing.index import Index
from daebus.editing.syntax import Header, Page, Parameter
from daebus.lsp.texts import Texts

from .subjects import Subject, find_subject

__all__ = ["find_renamed", "rename"]

Edits = dict[str, list[types.TextEdit]]

_MADE = re.compile(
    r"\b(?P<kind>Action|StreamAction|Channel|Message)\b\s*(?:\[[^\n]*?\])?\s*\(\s*(?P<name>[\"'][^\"'\n]*[\"'])"
)


def find_renamed(index: Index, texts: Texts, path: str, at: types.Position) -> types.Range | None:
    """What would be renamed at a position; None: nothing that daebus renames, as other language servers do."""
    subject = _renamed(index, texts, path, at)
    if subject is None:
        return None
    if subject.is_string:
        page = index.page(path)
        return texts.range(path, page.place(subject.start + 1), page.place(subject.end - 1))
    token = index.page(path).word(index.page(path).offset(*texts.position(path, at)))
    if token is None:
        return None
    page = index.page(path)
    return texts.range(path, page.place(token.start), page.place(token.end))


def _renamed(index: Index, texts: Texts, path: str, at: types.Position) -> Subject | None:
    subject = find_subject(index, texts, path, at)
    if subject is None:
        return None
    provider = subject.provider
    if provider is not None:
        token = index.page(path).word(index.page(path).offset(*texts.position(path, at)))
        is_name = token is not None and token.text == provider.name.rpartition(".")[2]
        return subject if is_name and not provider.built_in and "." not in provider.name else None
    return subject if subject.is_string and subject.contract is not None else None


def rename(index: Index, texts: Texts, path: str, at: types.Position, name: str) -> types.WorkspaceEdit | None:
    """The edits that rename what is at a position; None: daebus does not rename it, or not to this name."""
    subject = _renamed(index, texts, path, at)
    if subject is None:
        return None
    edits: Edits = {}
    if subject.provider is not None:
        if not name.isidentifier():
            return None
        for file, page, start, end, text in _of_provider(index, subject.provider, name):
            _add(edits, texts, file, page, start, end, text)
    elif subject.contract is not None:
        if re.search(r"[\s{}\"'\\]", name) or not name:
            return None
        for file, page, start, end in _of_contract(index, subject.contract):
            _add(edits, texts, file, page, start, end, name)
    return types.WorkspaceEdit(changes={texts.uri(file): list(found) for file, found in edits.items()})


def _add(edits: Edits, texts: Texts, path: str, page: Page, start: int, end: int, text: str) -> None:
    edit = types.TextEdit(texts.range(path, page.place(start), page.place(end)), text)
    known = edits.setdefault(path, [])
    if edit not in known:
        known.append(edit)


def _of_contract(index: Index, contract: Contract) -> Iterator[tuple[str, Page, int, int]]:
    """The strings with the name of a contract: where it, or a copy of it, is created, and in decorators."""
    kinds = {"Action", "StreamAction"} if contract.kind.endswith("Action") else {contract.kind}
    places = {
        (one.file, one.line) for snapshot in index.snapshots() for one in snapshot.contracts if one.key == contract.key
    }
    for path in {file for file, _ in places if file is not None}:
        page = index.page(path)
        for made in _MADE.finditer(page.text):
            if made["kind"] in kinds and made["name"][1:-1] == contract.name:
                yield path, page, made.start("name") + 1, made.end("name") - 1
    for handler in index.handlers(contract.key):
        header = index.header(handler)
        if handler.file is None or header is None or header.decorator is None:
            continue
        first, start = header.decorator.first, header.decorator.first_start
        if first[:1] in ("'", '"') and contract.name.endswith(first[1:-1]):
            yield handler.file, index.page(handler.file), start + 1, start + len(first) - 1


def _of_provider(index: Index, provider: Provider, name: str) -> Iterator[tuple[str, Page, int, int, str]]:
    """The attribute of the container, the parameters of handlers, and their names in the bodies."""
    old = provider.name
    containers = {one.container for one in index.snapshots() if one.container and provider in one.providers}
    dotted = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(containers)))})\.(?P<name>{re.escape(old)})\b")
    files = [path for path in index.files() if index.providers(path).get(old) == provider]
    if provider.file is not None and provider.file not in files:
        files.append(provider.file)
    for path in files:
        page = index.page(path)
        for found in dotted.finditer(page.text) if containers else ():
            yield path, page, found.start("name"), found.end("name"), name
        if path == provider.file:
            yield from ((path, page, start, end, name) for start, end in _in_container(page, provider, old))
        for header in page.headers:
            for parameter in header.parameters:
                named = parameter.is_service and parameter.name == old and not parameter.default
                if named and index.provider(path, header, parameter) == provider:
                    yield from ((path, page, start, end, name) for start, end in _in_handler(page, header, parameter))


def _in_container(page: Page, provider: Provider, old: str) -> Iterator[tuple[int, int]]:
    """The name in the body of its container: where it is defined and where others use it."""
    start = page.offset((provider.line or 1) - 1, 0)
    indent = page.indent(start)
    classes = [found.start() for found in re.finditer(r"^[ \t]*class\b", page.text, re.MULTILINE)]
    first = max((at for at in classes if at <= start and page.indent(at) < indent), default=0)
    last = next((at for at in classes if at > start), len(page.text))
    for index in range(page.index(first), page.index(last)):
        token = page.tokens[index]
        before = page.tokens[index - 1].text if index else ""
        after = page.tokens[index + 1].text if index + 1 < len(page.tokens) else ""
        is_keyword = after == "=" and before in ("(", ",")
        if token.kind == "name" and token.text == old and before != "." and not is_keyword:
            yield token.start, token.end


def _in_handler(page: Page, header: Header, parameter: Parameter) -> Iterator[tuple[int, int]]:
    """A parameter, and its name in the body."""
    yield parameter.start, parameter.name_end
    for index in range(page.index(header.closing), page.index(header.end)):
        token = page.tokens[index]
        before = page.tokens[index - 1].text if index else ""
        after = page.tokens[index + 1].text if index + 1 < len(page.tokens) else ""
        is_keyword = after == "=" and before in ("(", ",")
        if token.kind == "name" and token.text == parameter.name and before != "." and not is_keyword:
            yield token.start, token.end
