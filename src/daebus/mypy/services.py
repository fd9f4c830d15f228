"""Parameters right of the ``*``, each checked against the provider with its name."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.nodes import Expression, MemberExpr, RefExpr, TypeInfo
from mypy.subtypes import is_subtype
from mypy.types import AnyType, CallableType, Instance, ProperType

from daebus.mistakes.suggestions import closest
from daebus.mypy.model.containers import Container, Provider, is_provider
from daebus.mypy.model.data import foreign_part
from daebus.mypy.model.handlers import Handler, Parameter
from daebus.mypy.model.kinds import PARTS
from daebus.mypy.model.reports import SIGNATURE, WIRING, listed, report, show, show_both

from .providers import IDENTITY

__all__ = ["TWINS", "check_services", "find_fitting"]

_LOOP_ONLY = "daebus.core.affinity.LoopOnly"
_THREAD_ONLY = "daebus.core.affinity.ThreadOnly"
# As text, not as classes: otherwise mypy would load everything that they import.
TWINS = {
    "daebus.bus.blocking.BlockingBus": "bus",
    "daebus.websocket.blocking_clients.BlockingClients": "clients",
    "daebus.rooms.blocking.BlockingRooms": "rooms",
    "daebus.bus.bus.Bus": "blocking_bus",
    "daebus.rooms.rooms.Rooms": "blocking_rooms",
    "daebus.websocket.clients.Clients": "blocking_clients",
}
"""The name of the provider that a `def` handler uses instead of this type, or an `async def` handler."""
_AWAITED = frozenset({"typing.Coroutine", "typing.Awaitable"})
_GENERATED = frozenset({"typing.AsyncGenerator", "typing.AsyncIterator", "typing.Generator", "typing.Iterator"})
_OPEN = "make it a providers.Resource, opened when the service starts, or a PerMessage, opened for each message"


def check_services(handler: Handler, container: Container | None) -> None:
    """Report parameters right of the ``*`` that cannot be injected; without a container, only those wrong in any."""
    for parameter in handler.right:
        provider = None if container is None else container.find(parameter.name)
        if not parameter.is_annotated:
            _report_unannotated(handler, parameter, provider)
        elif parameter.used is not None:
            _check_affinity(handler, parameter, parameter.type)
            _check_used(handler, parameter, parameter.used, container)
        elif provider is not None and container is not None:
            _check_type(handler, parameter, container, provider)
        elif _is_part(parameter):
            _report_misplaced(handler, parameter)
        elif container is not None:
            _report(handler, parameter, *_unknown(handler, parameter, container))


def find_fitting(container: Container, wanted: ProperType) -> Iterator[str]:
    """The names of the providers that return this type, also in nested containers: ``repo``, ``inner.repo``.

    For a built-in type such as ``int`` there are none, because such values have many meanings.
    """
    if isinstance(wanted, AnyType) or (isinstance(wanted, Instance) and wanted.type.module_name == "builtins"):
        return
    nested: list[Provider] = []
    for provider in container.providers():
        if provider.gives is not None and is_subtype(provider.gives, wanted):
            yield provider.name
        nested.append(provider)
    for provider in nested:
        for name in () if provider.nested is None else find_fitting(provider.nested, wanted):
            yield f"{provider.name}.{name}"


def _report(handler: Handler, parameter: Parameter, found: str, remedy: str) -> None:
    report(handler.api, WIRING, parameter.at, handler.subject(parameter), found, remedy)


def _report_unannotated(handler: Handler, parameter: Parameter, provider: Provider | None) -> None:
    gives = None if provider is None else provider.gives
    remedy = f"write {parameter.name}: {'ItsType' if gives is None else show(handler.api, gives)}"
    found = "it has no annotation, so the provider cannot be checked"
    report(handler.api, SIGNATURE, parameter.at, handler.subject(parameter), found, remedy)


def _is_part(parameter: Parameter) -> bool:
    return any(parameter.is_a(part) for part in PARTS)


def _report_misplaced(handler: Handler, parameter: Parameter) -> None:
    part = next(part for part in PARTS if parameter.is_a(part))
    name = part.rpartition(".")[2]
    if part == handler.kind.part or PARTS[part] == "every handler":
        found, remedy = f"a {name} comes from the message, not from the container", "move it left of the *"
    else:
        found, remedy = f"{handler.kind.title} has no {name}, only {PARTS[part]} has", "remove it"
    report(handler.api, SIGNATURE, parameter.at, handler.subject(parameter), found, remedy)


def _unknown(handler: Handler, parameter: Parameter, container: Container) -> tuple[str, str]:
    name, wanted = parameter.name, show(handler.api, parameter.type)
    if container.attribute(name) is not None:
        return f"{container.name}.{name} is not a provider", f"make it one: {name} = providers.Object(...)"
    names = container.names()
    found = f'{container.name} has no provider "{name}"; it has {listed(names)}'
    fitting = list(find_fitting(container, parameter.type))
    close = closest(name, fitting) or closest(name, names)
    if close is not None and "." not in close:
        return found, f'did you mean "{close}"?'
    if fitting:
        other = fitting[0]
        rename = "" if "." in other else f'rename it to "{other}", or '
        return found, f"{rename}write {name}: {wanted} = use({container.name}.{other})"
    if foreign_part(parameter.type) is None:
        return found, "if it comes from the message, move it left of the *"
    if container.is_bare and handler.decoration.is_app:
        return found, "give the app your container: Daebus(..., container=Container())"
    if container.is_bare:
        return found, "name your container: Blueprint(..., services=Container)"
    return found, f"add `{name} = providers.Singleton({wanted})` to {container.name}"


def _check_type(handler: Handler, parameter: Parameter, container: Container, provider: Provider) -> None:
    wanted, gives = parameter.type, provider.gives
    if provider.nested is not None:
        if isinstance(wanted, Instance) and not wanted.type.has_base("dependency_injector.containers.Container"):
            inner = next(find_fitting(provider.nested, wanted), "its_name")
            path = f"{container.name}.{provider.name}"
            remedy = f"write {parameter.name}: {show(handler.api, wanted)} = use({path}.{inner})"
            _report(handler, parameter, f"{path} is the container {provider.nested.name}", remedy)
        return
    if provider.kind == IDENTITY and not handler.kind.sent:
        found = f"{handler.kind.title} handles no message of a sender, so it has no user"
        _report(handler, parameter, found, "pass the user in a message, or remove the parameter")
        return
    if gives is None or handler.type.variables or (_is_provider(wanted) and provider.may_give_a_provider):
        _check_affinity(handler, parameter, wanted)
        return
    if isinstance(gives, Instance) and gives.type.fullname in _AWAITED:
        given = show(handler.api, gives)
        found = f'the provider "{provider.name}" of {container.name} gives a {given}, which would never be awaited'
        _report(handler, parameter, found, _OPEN)
    elif not is_subtype(gives, wanted):
        _report(handler, parameter, *_mismatch(handler, parameter, container, provider, gives))
    else:
        _check_affinity(handler, parameter, gives)


def _is_provider(wanted: ProperType) -> bool:
    """Whether a handler takes a provider, not its object, as with ``repo.provider``."""
    return isinstance(wanted, CallableType) or (isinstance(wanted, Instance) and is_provider(wanted))


def _mismatch(
    handler: Handler, parameter: Parameter, container: Container, provider: Provider, gives: ProperType
) -> tuple[str, str]:
    given, wanted = show_both(handler.api, gives, parameter.type)
    found = f'the provider "{provider.name}" of {container.name} gives {given}, not {wanted}'
    item = gives.args[0] if isinstance(gives, Instance) and gives.type.fullname in _GENERATED else None
    if item is not None and is_subtype(item, parameter.type):
        return found, _OPEN
    fitting = next(find_fitting(container, parameter.type), None)
    if fitting is None:
        return found, f"annotate it as {given}, or change the provider"
    if "." in fitting:
        return found, f"annotate it as {given}, or write {parameter.name}: {wanted} = use({container.name}.{fitting})"
    return found, f'annotate it as {given}, or rename it to "{fitting}", which gives {wanted}'


def _check_affinity(handler: Handler, parameter: Parameter, gives: ProperType) -> None:
    if not isinstance(gives, Instance) or (handler.kind.threaded and handler.is_async):
        return
    info = gives.type
    twin = next((TWINS[base.fullname] for base in info.mro if base.fullname in TWINS), None)
    instead = "" if twin is None else f'ask for "{twin}", or '
    if info.has_base(_LOOP_ONLY) and not handler.is_async:
        found = f"a `def` handler runs in a thread, where a {info.name} cannot be awaited"
        _report(handler, parameter, found, f"{instead}make the handler `async def`")
    if info.has_base(_THREAD_ONLY) and handler.is_async:
        found = f"an `async def` handler runs on the event loop, which a {info.name} would block"
        _report(handler, parameter, found, f"{instead}make the handler `def`")


def _check_used(handler: Handler, parameter: Parameter, used: Expression, container: Container | None) -> None:
    while isinstance(used, MemberExpr) and not isinstance(used.node, TypeInfo):
        used = used.expr
    owner = used.node if isinstance(used, RefExpr) else None
    if not isinstance(owner, TypeInfo) or container is None or container.is_bare:
        return
    if not any(_related(owner, known.info) for known in _with_nested(container)):
        found = f"use(...) names a provider of {owner.name}, and the container is {container.name}"
        remedy = f"use a provider of {container.name}, of its bases, or of a container nested in it"
        _report(handler, parameter, found, remedy)


def _with_nested(container: Container) -> Iterator[Container]:
    yield container
    for provider in container.providers():
        if provider.nested is not None:
            yield from _with_nested(provider.nested)


def _related(one: TypeInfo, other: TypeInfo) -> bool:
    return one.has_base(other.fullname) or other.has_base(one.fullname)
