"""Completion: services right of the ``*``, what comes from the message left of it, contracts, options, events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from lsprotocol import types

from daebus.checking.snapshot import Contract, Event, Member
from daebus.editing.index import Index
from daebus.editing.syntax import Decorator, Header, Page
from daebus.lsp.texts import Texts

from .options import OPTIONS
from .wording import markdown, provider_text

__all__ = ["complete"]

_PATH_PARAMETER = re.compile(r"[<{](\w+)(?::(\w+))?[>}]")
_TYPES = {"int": "int", "float": "float", "str": "str", "uuid": "UUID", "path": "str"}
_TAKING = {
    "action": ("Action", "StreamAction"),
    "listen": ("Channel",),
    "call": ("Action",),
    "stream": ("StreamAction",),
    "send": ("Action", "Message"),
    "publish": ("Channel",),
    "socket_join": ("Room",),
    "broadcast": ("Message",),
}
_PARTS = {
    "socket": ("client", "Client"),
    "socket_connect": ("client", "Client"),
    "socket_disconnect": ("client", "Client"),
    "socket_join": ("client", "Client"),
    "socket_register": ("client", "Client"),
    "thread": ("running", "Running"),
}


def complete(index: Index, texts: Texts, path: str, at: types.Position) -> list[types.CompletionItem]:
    """The completions at a position; none where daebus has nothing to say."""
    page = index.page(path)
    offset = page.offset(*texts.position(path, at))
    return list(_Completion(index, texts, path, page, offset).items())


class _Completion(msgspec.Struct, frozen=True):
    index: Index
    texts: Texts
    path: str
    page: Page
    offset: int

    def items(self) -> Iterator[types.CompletionItem]:
        header = self.page.header(self.offset)
        if header is not None and header.opening < self.offset <= header.closing:
            yield from self._parameters(header)
            return
        decorator = self._decorator()
        if decorator is not None and decorator.opening < self.offset <= decorator.end:
            yield from self._arguments(decorator)
            return
        called = self._called()
        if called is not None:
            yield from self._contracts(_TAKING[called], set())
        elif header is not None and re.search(r"^[ \t]*case[ \t]+\w*$", self._line_before(), re.MULTILINE):
            yield from self._cases(header)

    def _line_before(self) -> str:
        return self.page.text[self.page.text.rfind("\n", 0, self.offset) + 1 : self.offset]

    def _decorator(self) -> Decorator | None:
        """The decorator that the cursor is in, also one without its function."""
        for header in self.page.headers:
            for decorator in header.decorators:
                if decorator.start <= self.offset <= decorator.end:
                    return decorator
        found = re.search(r"@([\w.]+)\.(\w+)\(([^()]*)$", self._line_before())
        if found is None:
            return None
        start = self.offset - len(found[0])
        opening = self.offset - len(found[3]) - 1
        first = found[3].partition(",")[0].strip()
        return Decorator(found[1], found[2], first, opening + 1, start, opening, self.offset)

    def _called(self) -> str | None:
        """The method of the bus, or of the clients, in whose call a contract belongs at the cursor."""
        found = re.search(
            r"\.(\w+)\(\s*(?:[\w.]+\s*,\s*)?\w*$", self.page.text[max(0, self.offset - 200) : self.offset]
        )
        return found[1] if found and found[1] in _TAKING and found[1] not in ("action", "listen") else None

    def _parameters(self, header: Header) -> Iterator[types.CompletionItem]:
        between = self.page.text[header.opening : self.offset]
        if re.search(r":[^,]*$", between):
            yield from self._annotation(header)
            return
        taken = {one.name for one in header.parameters if not one.start <= self.offset <= one.end}
        right = header.star is not None and header.star < self.offset
        if not right:
            yield from self._left(header, taken)
        yield from self._services(taken, "" if right else "*, ", "2" if not right else "0")

    def _services(self, taken: set[str], before: str, order: str) -> Iterator[types.CompletionItem]:
        snapshots = self.index.snapshots(self.path)
        container = next((one.container for one in snapshots), None)
        for number, provider in enumerate(self.index.providers(self.path).values()):
            name = provider.name.rpartition(".")[2]
            if name in taken:
                continue
            gives = provider.gives
            typed = name if gives is None else f"{name}: {gives.shown}"
            if "." in provider.name:
                typed += f" = use({container}.{provider.name})"
            yield types.CompletionItem(
                label=typed,
                filter_text=name,
                insert_text=before + typed,
                sort_text=f"{order}{int(provider.built_in)}{number:03}",
                kind=types.CompletionItemKind.Variable,
                detail=f"{provider.kind}, {provider.cost}",
                documentation=markdown(provider_text(provider)),
                additional_text_edits=[] if gives is None else self._imports([gives]),
            )

    def _left(self, header: Header, taken: set[str]) -> Iterator[types.CompletionItem]:
        """What the message of a handler offers."""
        decorator = header.decorator
        kind = "" if decorator is None else decorator.kind
        contract = None if decorator is None else self._contract(decorator.first)
        if kind == "route" and decorator is not None:
            for name, of in _PATH_PARAMETER.findall(decorator.first):
                typed = f"{name}: {_TYPES.get(of, 'str')}"
                members = [Member("UUID", "uuid", "UUID")] if of == "uuid" else []
                if name not in taken:
                    yield self._item(typed, name, "0", "from the path", members)
        elif contract is not None and contract.types and contract.types[0].shown != "None":
            carried = contract.types[0]
            name = "event" if kind == "listen" else _snake(carried.shown)
            members = [event.type for event in contract.events] or [carried]
            yield self._item(f"{name}: {carried.shown}", name, "0", f"the payload of {contract.shown}", members)
        if kind in _PARTS:
            name, of = _PARTS[kind]
            yield self._item(f"{name}: {of}", name, "1", "", [Member(of, "daebus", of)])
        if kind in ("action", "listen", "route", "socket"):
            member = Member("Context", "daebus", "Context")
            yield self._item("context: Context", "context", "1", "the id, the deadline and the headers", [member])

    def _annotation(self, header: Header) -> Iterator[types.CompletionItem]:
        """The type of the provider whose name is before the colon."""
        parameter = next((one for one in header.parameters if one.start <= self.offset <= one.end + 1), None)
        provider = None if parameter is None else self.index.providers(self.path).get(parameter.name)
        if parameter is not None and parameter.is_service and provider is not None and provider.gives is not None:
            gives = provider.gives
            yield self._item(gives.shown, gives.shown, "0", f"what {provider.name!r} gives", [gives])

    def _arguments(self, decorator: Decorator) -> Iterator[types.CompletionItem]:
        before = self.page.text[decorator.opening + 1 : self.offset]
        if "," not in before and decorator.kind in ("action", "listen"):
            served = {one.contract for one in self.index.handlers() if one.contract is not None}
            yield from self._contracts(_TAKING[decorator.kind], served if decorator.kind == "action" else set())
        elif "," in before or not before.strip():
            for option, doc in OPTIONS.get(decorator.kind, {}).items():
                if not re.search(rf"\b{option}\s*=", self.page.text[decorator.opening : decorator.end]):
                    yield types.CompletionItem(
                        label=f"{option}=",
                        kind=types.CompletionItemKind.Field,
                        sort_text=f"0{option}",
                        documentation=markdown(doc),
                    )

    def _contracts(self, kinds: Sequence[str], last: set[str]) -> Iterator[types.CompletionItem]:
        """The contracts of some kinds; those in `last` come last."""
        known = self.index.names(self.path)
        functions = {header.name for header in self.page.headers}
        # Of each contract rather its own name than a handler, and rather a short name.
        worst_first = sorted(known, key=lambda one: (one in functions, one.count(".")), reverse=True)
        names = {known[name]: name for name in worst_first}
        for contract in self.index.contracts().values():
            if contract.kind not in kinds:
                continue
            name, member = names.get(contract.key), None
            if name is None:
                name, member = self._imported(contract)
            if name is not None:
                # Those that are not imported yet come after those that are.
                order = f"{int(contract.key in last)}{int(member is not None)}"
                yield self._item(name, name, order, contract.shown, [] if member is None else [member])

    def _imported(self, contract: Contract) -> tuple[str | None, Member | None]:
        """The name under which another module has a contract, and how to import it."""
        for snapshot in self.index.snapshots():
            for file, names in snapshot.names.items():
                module = snapshot.modules.get(file)
                for name, key in names.items():
                    if key == contract.key and file == contract.file and "." not in name and module is not None:
                        return name, Member(name, module, name)
        return None, None

    def _contract(self, name: str) -> Contract | None:
        key = self.index.key(self.path, name)
        return None if key is None else self.index.contracts().get(key)

    def _cases(self, header: Header) -> Iterator[types.CompletionItem]:
        decorator = header.decorator
        contract = None if decorator is None else self._contract(decorator.first)
        for number, event in enumerate(() if contract is None else contract.events):
            text = f"{event.type.shown}({', '.join(f'{field}={field}' for field in event.fields)})"
            yield self._item(text, event.type.shown, f"{number:03}", _tagged(event), [event.type])

    def _item(self, text: str, name: str, order: str, detail: str, members: Iterable[Member]) -> types.CompletionItem:
        return types.CompletionItem(
            label=text,
            filter_text=name,
            sort_text=f"{order}{name}",
            detail=detail or None,
            kind=types.CompletionItemKind.Variable,
            additional_text_edits=self._imports(members),
        )

    def _imports(self, members: Iterable[Member]) -> list[types.TextEdit]:
        edits = [edit for member in members for edit in self.index.imports(self.path, member)]
        return [self.texts.edit(self.page, edit) for edit in edits]


def _tagged(event: Event) -> str:
    return "an event" if event.tag is None else f"the event {event.tag!r}"


def _snake(name: str) -> str:
    """A name for a parameter of a type: ``GetUser`` is ``get_user``."""
    bare = re.sub(r"\W.*", "", name)
    found = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", bare).lower()
    return "payload" if found in ("str", "int", "float", "bool", "list", "dict", "") else found
