"""What is known of an app after a check, as data. This module loads nothing of what an app needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from .mistake import Mistake

__all__ = ["Contract", "Event", "Handler", "Inspection", "Member", "Provider", "Service", "Snapshot"]


class Inspection(msgspec.Struct, frozen=True):
    """The order to check an app.

    Attributes:
        root: The folder in which the app is imported.
        folders: The folders of the workspace, whose files are described.
        target: The app, as for ``daebus check``.
        service: The name under which it is served; None: its own.
        buffers: Text that is imported instead of files, by path.
    """

    root: str
    folders: Sequence[str]
    target: str
    service: str | None
    buffers: Mapping[str, str]


class Member(msgspec.Struct, frozen=True, gc=False):
    """A type as code writes it, and how a module imports it.

    Attributes:
        shown: The type in code, such as ``UserRepo``.
        module: The module that defines it; None: no import is needed, or none would do.
        name: The name to import from the module.
    """

    shown: str
    module: str | None = None
    name: str | None = None


class Service(msgspec.Struct, frozen=True, gc=False):
    """A parameter right of the ``*`` and the name of its provider; None: its provider has no name."""

    name: str
    provider: str | None


class Provider(msgspec.Struct, frozen=True, gc=False):
    """A provider of the container.

    Attributes:
        name: Its name, such as ``repo``, or ``inner.repo`` in a nested container.
        kind: Its class, such as ``Singleton``.
        gives: The type of what it gives; None: it is not known.
        cost: How often the object is created, such as ``once``.
        needs: The names of the providers that are injected into it.
        built_in: Whether daebus fills it when the service starts.
        on_loop: Whether it is opened on the event loop.
        overridden_by: The kind of the provider that overrides it.
        file: Where it is defined; None: in daebus.
        factory_file: Where the function or class that creates the object is defined.
        doc: The first paragraph of the documentation of its factory.
    """

    name: str
    kind: str
    gives: Member | None
    cost: str
    needs: Sequence[str]
    built_in: bool
    on_loop: bool
    overridden_by: str | None = None
    file: str | None = None
    line: int | None = None
    factory_file: str | None = None
    factory_line: int | None = None
    doc: str | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One of the structs that a contract carries, with its tag."""

    type: Member
    tag: str | None
    fields: Sequence[str]


class Contract(msgspec.Struct, frozen=True, gc=False):
    """A contract, wherever it was created.

    Attributes:
        key: Its kind, service and name in one; the same for all copies of a contract.
        kind: Its class, such as ``Action``.
        shown: The contract as code.
        types: Its type arguments, as code.
        events: The structs of its first type argument.
        file: Where it was created.
    """

    key: str
    kind: str
    name: str
    service: str | None
    shown: str
    types: Sequence[Member]
    events: Sequence[Event] = ()
    file: str | None = None
    line: int | None = None


class Handler(msgspec.Struct, frozen=True, gc=False):
    """A handler as far as it is known.

    Attributes:
        title: Its title, such as ``action get_user``.
        kind: The name of its decorator.
        function: The name of the function.
        file: Where the function is defined.
        contract: The key of its contract; None: it has none.
        compiled: Whether it has no mistakes of its own.
        is_door: Whether it is a further door to an action, which has the same function.
    """

    title: str
    kind: str
    function: str
    file: str | None
    line: int | None
    blueprint: str
    contract: str | None
    compiled: bool
    takes: Sequence[str] = ()
    returns: str | None = None
    streams: bool = False
    services: Sequence[Service] = ()
    timeout: float | None = None
    listener: str | None = None
    interceptors: Sequence[str] = ()
    is_door: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """What one check found.

    Attributes:
        problems: What keeps the app from starting.
        warnings: Probable mistakes.
        service: The name under which the app is served; None: the app could not be imported.
        container: The name of its container's class.
        container_file: Where that class is defined; None: in daebus.
        names: For each file of the workspace that was imported: the names that mean a contract, with its key. A name of
            a module is followed by a dot and the name in it.
        modules: The files of the workspace that were imported, with the name of the module of each.
    """

    problems: Sequence[Mistake] = ()
    warnings: Sequence[Mistake] = ()
    service: str | None = None
    container: str | None = None
    container_file: str | None = None
    container_line: int | None = None
    handlers: Sequence[Handler] = ()
    providers: Sequence[Provider] = ()
    contracts: Sequence[Contract] = ()
    names: Mapping[str, Mapping[str, str]] = {}
    modules: Mapping[str, str] = {}
