"""What can be created: the handler of a contract, and the test of a handler."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from lsprotocol import types

from daebus.checking.snapshot import Contract, Handler, Member
from daebus.editing.index import Index
from daebus.lsp.texts import Texts

from .subjects import find_subject

__all__ = ["creations"]

_DECORATORS = {"Action": "action", "StreamAction": "action", "Channel": "listen"}


def creations(index: Index, texts: Texts, path: str, shown: types.Range) -> Iterator[types.CodeAction]:
    """What can be created for what is at the beginning of a range."""
    subject = find_subject(index, texts, path, shown.start)
    if subject is None:
        return
    contract, handler = subject.contract, subject.handler
    if contract is not None and handler is None and contract.kind in _DECORATORS and not index.handlers(contract.key):
        yield from _handlers(index, texts, path, contract)
    if handler is not None:
        yield from _tests(index, texts, path, handler)


def _handlers(index: Index, texts: Texts, path: str, contract: Contract) -> Iterator[types.CodeAction]:
    """A handler at the end of each module of the service that has handlers and a blueprint."""
    name = next((name for name, key in index.names(contract.file or path).items() if key == contract.key), None)
    if name is None or contract.file is None:
        return
    offered: set[str] = set()
    for handler in index.handlers():
        owners = [one for one in index.snapshots(handler.file or "") if contract.service in (None, one.service)]
        header = index.header(handler)
        if not owners or handler.file is None or header is None or handler.file in offered:
            continue
        decorator = header.decorator
        if decorator is None:
            continue
        offered.add(handler.file)
        edits = list(_handler_edits(index, texts, handler.file, decorator.owner, (name, contract)))
        title = f"Create the handler of {name} in {os.path.basename(handler.file)}"
        edit = types.WorkspaceEdit(changes={texts.uri(handler.file): edits})
        yield types.CodeAction(title, types.CodeActionKind.Refactor, edit=edit)


def _handler_edits(
    index: Index, texts: Texts, path: str, owner: str, of: tuple[str, Contract]
) -> Iterator[types.TextEdit]:
    name, contract = of
    page = index.page(path)
    carried = contract.types[0].shown if contract.types else "None"
    reply = contract.types[1].shown if len(contract.types) > 1 else "None"
    parameter = "" if carried == "None" else f"{'event' if contract.kind == 'Channel' else 'payload'}: {carried}"
    returned = f"AsyncIterator[{reply}]" if contract.kind == "StreamAction" else reply
    function = re.sub(r"\W", "_", contract.name)
    function = f"on_{function}" if contract.kind == "Channel" else function
    body = "raise NotImplementedError" + ("\n    yield" if contract.kind == "StreamAction" else "")
    decorator = f"@{owner}.{_DECORATORS[contract.kind]}({name})"
    text = f"\n\n{decorator}\nasync def {function}({parameter}) -> {returned}:\n    {body}\n"
    end = len(page.text.rstrip())
    where = texts.range(path, page.place(end), page.place(len(page.text)))
    yield types.TextEdit(where, f"\n{text}")
    members = [Member(name, index.snapshots(contract.file or "")[0].modules.get(contract.file or ""), name)]
    members += [event.type for event in contract.events] or list(contract.types[:1])
    members += contract.types[1:]
    if contract.kind == "StreamAction":
        members.append(Member("AsyncIterator", "collections.abc", "AsyncIterator"))
    for member in members:
        yield from (texts.edit(page, edit) for edit in index.imports(path, member))


def _tests(index: Index, texts: Texts, path: str, handler: Handler) -> Iterator[types.CodeAction]:
    """A test that calls the handler as a function, in a new file of the tests folder."""
    snapshots = index.snapshots(path)
    module = snapshots[0].modules.get(path) if snapshots else None
    header = index.header(handler)
    if module is None or header is None:
        return
    root = path
    for _ in module.split("."):
        root = os.path.dirname(root)
    file = os.path.join(root, "tests", f"test_{handler.function}.py")
    if os.path.exists(file):
        return
    awaited = header.is_async and not handler.streams
    given = [f"{one.name}=..." for one in header.parameters]
    call = f"{handler.function}({', '.join(given)})"
    if handler.streams:
        body = f"items = [item async for item in {call}]\n    assert items"
    else:
        result = "" if handler.returns is None else "result = "
        body = f"{result}{'await ' if awaited else ''}{call}" + ("\n    assert result" if result else "")
    keyword = "async def" if header.is_async else "def"
    text = f"from {module} import {handler.function}\n\n\n{keyword} test_{handler.function}() -> None:\n    {body}\n"
    uri = texts.uri(file)
    changes: Sequence[types.CreateFile | types.TextDocumentEdit] = [
        types.CreateFile(uri),
        types.TextDocumentEdit(
            types.OptionalVersionedTextDocumentIdentifier(uri),
            [types.TextEdit(types.Range(types.Position(0, 0), types.Position(0, 0)), text)],
        ),
    ]
    edit = types.WorkspaceEdit(document_changes=list(changes))
    yield types.CodeAction(f"Create a test of {handler.function}", types.CodeActionKind.Refactor, edit=edit)
