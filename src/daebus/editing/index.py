"""The index of a workspace: which names mean which contracts, handlers and providers, over all its apps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from daebus.checking.snapshot import Contract, Handler, Member, Provider, Snapshot

from .edits import Edit
from .imports import import_edits
from .syntax import Decorator, Header, Page, Parameter, Use

__all__ = ["Index", "Pages", "Site"]

_SENDING = ("call", "stream", "send", "publish", "broadcast")


class Site(msgspec.Struct, frozen=True, gc=False):
    """A use of a contract in the code.

    Attributes:
        path: The file.
        use: The name.
        role: ``call``, ``stream``, ``send``, ``publish`` or ``broadcast``: the method that takes it; ``handler``: it is
            in the decorator of a handler; otherwise empty.
    """

    path: str
    use: Use
    role: str


class Pages:
    """The files of a workspace as text; each is parsed once for each version.

    Attributes:
        resolved: The uses of contracts in each file, with the text and the names from which they follow.

    Args:
        read: Gives the text of a file.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._pages: dict[str, Page] = {}
        self.resolved: dict[str, tuple[Page, Mapping[str, str], Mapping[str, Sequence[Site]]]] = {}

    def get(self, path: str) -> Page:
        """A file as text."""
        text = self._read(path)
        known = self._pages.get(path)
        if known is None or (known.text is not text and known.text != text):
            known = self._pages[path] = Page(text, known)
        return known


class Index:
    """What is known of the code of a workspace, until the next check of one of its apps.

    Args:
        snapshots: What is known of each app.
        pages: The text of its files.
    """

    def __init__(self, snapshots: Sequence[Snapshot], pages: Pages) -> None:
        self._snapshots = snapshots
        self._pages = pages
        self._contracts: dict[str, dict[str, Contract]] = {}
        self._providers: dict[str, dict[str, Provider]] = {}
        self._names: dict[str, Mapping[str, str]] = {}
        self._names_by_key: dict[str, Mapping[str, Sequence[str]]] = {}

    def page(self, path: str) -> Page:
        """A file as text."""
        return self._pages.get(path)

    def snapshots(self, path: str | None = None) -> Sequence[Snapshot]:
        """What is known of the apps, or only of those that import a file."""
        return self._snapshots if path is None else self._by_file.get(path, ())

    @cached_property
    def _by_file(self) -> dict[str, list[Snapshot]]:
        found: dict[str, list[Snapshot]] = {}
        for snapshot in self._snapshots:
            for path in snapshot.modules:
                found.setdefault(path, []).append(snapshot)
        return found

    def files(self) -> Collection[str]:
        """The files that the apps import."""
        return self._by_file.keys()

    @cached_property
    def modules(self) -> dict[str, str]:
        """The file of each module."""
        return {module: file for one in self._snapshots for file, module in one.modules.items()}

    def imports(self, path: str, member: Member) -> list[Edit]:
        """The edits by which a file imports a type; none if it needs none."""
        return import_edits(path, self.page(path), member, self.modules.get(member.module or ""))

    def providers(self, path: str) -> Mapping[str, Provider]:
        """The providers that handlers in a file may have, by name."""
        if path not in self._providers:
            found: dict[str, Provider] = {}
            for snapshot in self.snapshots(path):
                for provider in snapshot.providers:
                    found.setdefault(provider.name, provider)
            self._providers[path] = found
        return self._providers[path]

    def contracts(self, path: str | None = None) -> Mapping[str, Contract]:
        """The contracts of the workspace, or of the apps that import a file, by key."""
        if (path or "") not in self._contracts:
            found: dict[str, Contract] = {}
            for snapshot in self.snapshots(path):
                for contract in snapshot.contracts:
                    # Rather where it was created by itself than the handler of its name.
                    if contract.key not in found or (contract.file, contract.line) not in self._places:
                        found[contract.key] = contract
            self._contracts[path or ""] = found
        return self._contracts[path or ""]

    @cached_property
    def _places(self) -> set[tuple[str | None, int | None]]:
        return {(handler.file, handler.line) for handler in self._handlers}

    def names(self, path: str) -> Mapping[str, str]:
        """The names that mean contracts in a file, with their keys."""
        if path not in self._names:
            self._names[path] = self._merged_names(path)
        return self._names[path]

    def names_of(self, path: str, key: str) -> Sequence[str]:
        """The names that mean a contract in a file."""
        if path not in self._names_by_key:
            found: dict[str, list[str]] = {}
            for name, meant in self.names(path).items():
                found.setdefault(meant, []).append(name)
            self._names_by_key[path] = found
        return self._names_by_key[path].get(key, ())

    def _merged_names(self, path: str) -> Mapping[str, str]:
        every = {id(names): names for one in self.snapshots(path) if (names := one.names.get(path)) is not None}
        if len(every) == 1:
            return next(iter(every.values()))
        found: dict[str, str] = {}
        for names in every.values():
            found.update(names)
        return found

    def key(self, path: str, name: str) -> str | None:
        """The key of the contract that a name means in a file; None: it means none."""
        return self.names(path).get(name)

    @cached_property
    def _handlers(self) -> list[Handler]:
        found = {
            (handler.file, handler.line, handler.title): handler
            for snapshot in reversed(self._snapshots)
            for handler in snapshot.handlers
        }
        return list(found.values())

    @cached_property
    def _by_key(self) -> dict[str, list[Handler]]:
        found: dict[str, list[Handler]] = {}
        for handler in self._handlers:
            found.setdefault(handler.contract or "", []).append(handler)
        return found

    @cached_property
    def _by_function(self) -> dict[tuple[str | None, str], list[Handler]]:
        found: dict[tuple[str | None, str], list[Handler]] = {}
        for handler in self._handlers:
            found.setdefault((handler.file, handler.function), []).append(handler)
        return found

    def handlers(self, key: str | None = None) -> Sequence[Handler]:
        """All handlers, or those of a contract, each once."""
        return self._handlers if key is None else self._by_key.get(key, ())

    def handler(self, path: str, header: Header) -> Handler | None:
        """What is known of a function: the handler of its name that is nearest to it, rather than one of its doors."""
        line = self.page(path).place(header.start)[0]
        found = self._by_function.get((path, header.name), ())
        return min(found, key=lambda one: (abs((one.line or 0) - line), one.is_door), default=None)

    def doors(self, handler: Handler) -> Sequence[Handler]:
        """The doors of an action."""
        same = self._by_function.get((handler.file, handler.function), ())
        return [one for one in same if one.is_door and one.line == handler.line]

    def header(self, handler: Handler) -> Header | None:
        """The function of a handler in its file."""
        if handler.file is None:
            return None
        page, line = self.page(handler.file), (handler.line or 1) - 1
        found = page.headers_by_name.get(handler.function, ())
        return min(found, key=lambda one: abs(page.place(one.start)[0] - line), default=None)

    def provider(self, path: str, header: Header, parameter: Parameter) -> Provider | None:
        """The provider of a parameter right of the ``*``."""
        handler = self.handler(path, header)
        services = {} if handler is None else {one.name: one.provider for one in handler.services}
        name = services.get(parameter.name) or parameter.name
        if parameter.default.startswith("use("):
            name = parameter.default.removeprefix("use(").rstrip(")").partition(".")[2] or name
        return self.providers(path).get(name)

    def sites(self, key: str) -> Iterator[Site]:
        """All uses of a contract in the files that the apps import."""
        for path in self.files():
            yield from self._sites(path).get(key, ())

    def _sites(self, path: str) -> Mapping[str, Sequence[Site]]:
        """The uses of contracts in a file, by key."""
        page, names = self.page(path), self.names(path)
        known = self._pages.resolved.get(path)
        if known is None or known[0] is not page or (known[1] is not names and known[1] != names):
            found: dict[str, list[Site]] = {}
            decorators = [decorator for header in page.headers for decorator in header.decorators] if names else []
            for use in page.uses if names else ():
                if use.name in names:
                    found.setdefault(names[use.name], []).append(Site(path, use, _role(use, decorators)))
            known = page, names, found
        # With the names of this index, which are then found to be the same at a glance.
        self._pages.resolved[path] = page, names, known[2]
        return known[2]

    def counts(self, key: str) -> dict[str, int]:
        """How often a contract is used in each role."""
        found: dict[str, int] = {}
        for site in self.sites(key):
            if site.role:
                found[site.role] = found.get(site.role, 0) + 1
        return found


def _role(use: Use, decorators: Iterable[Decorator]) -> str:
    if any(decorator.first_start <= use.start < decorator.end for decorator in decorators):
        return "handler"
    return use.call if use.call in _SENDING else ""
