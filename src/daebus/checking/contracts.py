"""The contracts in the imported modules of the workspace, and the names that mean them."""

from __future__ import annotations

import os
import sys
import typing
from collections.abc import Iterator, Sequence
from types import ModuleType, UnionType

import msgspec

from daebus.declare.contracts import Action, Channel, Message, StreamAction
from daebus.declare.contracts import Contract as AnyContract
from daebus.discovery.contract_checks import contracts_in
from daebus.errors import WiringError
from daebus.mistakes.places import site_of, unwrap
from daebus.mistakes.show_type import show_type

from .snapshot import Contract, Event, Member

__all__ = ["Modules", "is_installed", "key_of", "member_of"]

_KINDS: tuple[type[AnyContract], ...] = (Action, StreamAction, Channel, Message)
_FOREIGN = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_installed(file: str) -> bool:
    """Whether a file belongs to an installed package."""
    return any(part in file for part in _FOREIGN)


def key_of(kind: str, name: str, service: str | None) -> str:
    """The key of a contract: equal for all copies of it, in every service."""
    if kind in ("Action", "StreamAction"):
        return f"action {service or '?'} {name}"
    return f"{kind.lower()} {name}"


def member_of(kind: object, is_own: typing.Callable[[str], bool]) -> Member:
    """A type, and how to import it.

    Args:
        kind: The type.
        is_own: Whether a file belongs to the workspace. Other types are imported from the shortest module that has
            them.
    """
    shown = show_type(kind)
    if not isinstance(kind, type) or kind.__module__ == "builtins" or shown != kind.__name__:
        return Member(shown)
    name, module = kind.__name__, sys.modules.get(kind.__module__)
    if module is None:
        return Member(shown)
    if not is_own(getattr(module, "__file__", None) or ""):
        parts = module.__name__.split(".")
        parents = (sys.modules.get(".".join(parts[:count])) for count in range(1, len(parts)))
        module = next((one for one in parents if one is not None and vars(one).get(name) is kind), module)
        if module.__name__.startswith("daebus.") and hasattr(sys.modules["daebus"], name):
            module = sys.modules["daebus"]
    return Member(shown, module.__name__, name)


class Modules:
    """The modules of the workspace that were imported.

    Args:
        folders: The folders of the workspace.
        service: The name of the app, to which contracts without a service belong.
    """

    def __init__(self, folders: Sequence[str], service: str | None) -> None:
        self._folders = tuple(folder.rstrip(os.sep) + os.sep for folder in folders)
        self._service = service
        found: dict[str, ModuleType] = {}
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self.is_own(file):
                found[file] = module
        self._modules = found
        self._types: dict[type, tuple[tuple[object, ...], tuple[str, list[Member], list[Event]]]] = {}

    def is_own(self, file: str) -> bool:
        """Whether a file belongs to the workspace."""
        return file.startswith(self._folders) and not is_installed(file)

    def files(self) -> dict[str, str]:
        """Their files, and the name of each."""
        return {file: module.__name__ for file, module in sorted(self._modules.items())}

    def names(self) -> dict[str, dict[str, str]]:
        """For each file the names that mean a contract, with its key."""
        own = {file: dict(self._named(module)) for file, module in self._modules.items()}
        for file, module in self._modules.items():
            for name, value in list(vars(module).items()):
                if isinstance(value, ModuleType) and (inner := own.get(getattr(value, "__file__", None) or "")):
                    own[file].update({f"{name}.{one}": key for one, key in inner.items() if "." not in one})
        return {file: names for file, names in own.items() if names}

    def _named(self, module: ModuleType) -> Iterator[tuple[str, str]]:
        for name, contract in contracts_in(module):
            yield name, self._key(contract)

    def _key(self, contract: AnyContract) -> str:
        return key_of(_kind_of(contract), contract.name, contract.service or self._service)

    def contracts(self) -> Iterator[Contract]:
        """All the contracts, each once."""
        seen: set[int] = set()
        for module in self._modules.values():
            for _, contract in contracts_in(module):
                if id(contract) not in seen:
                    seen.add(id(contract))
                    yield self._contract(contract)

    def _contract(self, contract: AnyContract) -> Contract:
        function = unwrap(contract) if callable(contract) else None
        code = getattr(function, "__code__", None)
        site = site_of(contract) if code is None else None
        file, line = (code.co_filename, code.co_firstlineno) if code is not None else (None, None)
        if site is not None:
            file, line = site.code.co_filename, site.line
        try:
            types: tuple[object, ...] = contract.types
        except WiringError:  # of a handler whose types are among the mistakes
            types = ()
        shown, members, events = self._described(type(contract), types)
        return Contract(
            key=self._key(contract),
            kind=_kind_of(contract),
            name=contract.name,
            service=contract.service,
            shown=f"{_kind_of(contract)}[{shown}]({contract.name!r})",
            types=members,
            events=events,
            file=file,
            line=line,
        )

    def _described(self, kind: type, types: tuple[object, ...]) -> tuple[str, list[Member], list[Event]]:
        """Types as code, as members and as events: once for all contracts of a class that have them."""
        known = self._types.get(kind)
        if known is None or known[0] != types:
            events = list(self._events(types[0])) if types else []
            described = ", ".join(map(show_type, types)), [member_of(one, self.is_own) for one in types], events
            known = self._types[kind] = types, described
        return known[1]

    def _events(self, carried: object) -> Iterator[Event]:
        origin = typing.get_origin(carried)
        for kind in typing.get_args(carried) if origin in (typing.Union, UnionType) else (carried,):
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                tag = kind.__struct_config__.tag
                yield Event(member_of(kind, self.is_own), None if tag is None else str(tag), kind.__struct_fields__)


def _kind_of(contract: AnyContract) -> str:
    return next((kind.__name__ for kind in _KINDS if isinstance(contract, kind)), type(contract).__name__)
