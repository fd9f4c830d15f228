"""The wiring of an app as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from dependency_injector import providers

from daebus.app.assembly import Assembly
from daebus.app.container import ServiceContainer
from daebus.app.kinds import KINDS, kind_of
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import ActionSpec, ListenSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.interceptors import name_of as interceptor_name
from daebus.identity.provider import Visitor
from daebus.mistakes.show_type import show_type
from daebus.wiring.lookup import name_of, path_of
from daebus.wiring.provided_types import UNKNOWN, is_async_resource, yielded_type

__all__ = [
    "AttachedComponent",
    "Handler",
    "Provider",
    "Service",
    "Wiring",
    "describe",
    "interceptors_of",
    "listener_of",
    "show_returned",
    "timeout_of",
]

AnyProvider = providers.Provider[object]


class Service(msgspec.Struct, frozen=True):
    """A parameter right of the ``*``; `provider` is the name of its provider, None if the provider has no name."""

    name: str
    type: str
    provider: str | None


class Handler(msgspec.Struct, frozen=True):
    """A handler: the parameters from the message, the return type, and the services from the container.

    Attributes:
        listener: The name under which a listener keeps its position in a durable channel; None: it is no such listener.
        timeout: Seconds that one run may take; None: no limit.
        interceptors: The names of the interceptors of its messages, the outermost first.
        requires: The names of the guards of its messages.
    """

    title: str
    function: str
    where: str
    blueprint: str
    takes: Sequence[str]
    returns: str | None
    streams: bool
    services: Sequence[Service]
    listener: str | None = None
    timeout: float | None = None
    interceptors: Sequence[str] = ()
    requires: Sequence[str] = ()


class AttachedComponent(msgspec.Struct, frozen=True):
    """A component that the service opens and closes, and where it was attached."""

    name: str
    where: str


class Provider(msgspec.Struct, frozen=True):
    """A provider that handlers use; `gives` is None if its type is not known without calling it.

    Attributes:
        built_in: Whether daebus fills it when the service starts.
        on_loop: Whether it is a Resource that is opened on the event loop.
        overridden_by: The kind of the provider that overrides it.
        needs: The names of the providers that are injected into it.
    """

    name: str
    kind: str
    gives: str | None
    built_in: bool
    on_loop: bool
    overridden_by: str | None
    needs: Sequence[str]


class Wiring(msgspec.Struct, frozen=True):
    """The wiring of the whole app; `interceptors` are those of what it sends, the outermost first."""

    service: str
    container: str
    handlers: Sequence[Handler]
    providers: Sequence[Provider]
    interceptors: Sequence[str] = ()
    components: Sequence[AttachedComponent] = ()


def describe(made: Assembly) -> Wiring:
    """The wiring of an app."""
    plans = list(_plans(made))
    roots = [provider for _, endpoint in plans for _, provider in endpoint.injection.bindings]
    return Wiring(
        service=made.service,
        container=name_of(made.container),
        handlers=[_handler(made, spec, endpoint) for spec, endpoint in plans],
        providers=[_provider(made, name, provider) for name, provider in _reached(made, roots).items()],
        interceptors=_names([*made.interceptors.outgoing, *made.interceptors.outgoing_streams]),
        components=[AttachedComponent(type(one.component).__name__, str(one.site.place)) for one in made.components],
    )


def _plans(made: Assembly) -> Iterator[tuple[Spec, Endpoint[object]]]:
    """The handlers that compiled, also those whose blueprint was refused because of other handlers."""
    compiled = made.plans.compiled()
    for kind in KINDS:
        added = [(plan.spec, plan.endpoint) for plan in made.plans.of(kind)]
        known = {id(endpoint) for _, endpoint in added}
        yield from added
        yield from (pair for pair in compiled if kind_of(pair[0]) is kind and id(pair[1]) not in known)


def _handler(made: Assembly, spec: Spec, endpoint: Endpoint[object]) -> Handler:
    signature = endpoint.signature
    bindings = dict(endpoint.injection.bindings)
    services = [
        Service(one.name, show_type(one.annotation), _name(made, bindings[one.name])) for one in signature.right
    ]
    return Handler(
        title=spec.title,
        function=signature.name,
        where=spec.where,
        blueprint=spec.blueprint,
        takes=[str(parameter) for parameter in signature.left],
        returns=show_returned(signature),
        streams=signature.streams,
        services=services,
        listener=listener_of(spec),
        timeout=timeout_of(spec),
        interceptors=interceptors_of(endpoint),
        requires=[guard.__name__ for guard in spec.requires],
    )


def listener_of(spec: Spec) -> str | None:
    """The name under which a listener keeps its position in a durable channel; None: it is no such listener."""
    return spec.name if isinstance(spec, ListenSpec) and spec.is_durable else None


def timeout_of(spec: Spec) -> float | None:
    """Seconds that one run of a handler may take; None: no limit."""
    return spec.policy.timeout if isinstance(spec, ActionSpec | ListenSpec) else spec.timeout


def interceptors_of(endpoint: Endpoint[object]) -> list[str]:
    """The names of the interceptors of a handler's messages, the outermost first."""
    around = endpoint.interceptors
    return _names(around.streams if endpoint.signature.streams else around.messages)


def show_returned(signature: Signature) -> str | None:
    """What a handler returns, as code; None: nothing."""
    return None if signature.returns in (MISSING, type(None)) else show_type(signature.returns)


def _names(interceptors: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(map(interceptor_name, interceptors)))


def _name(made: Assembly, provider: AnyProvider) -> str | None:
    """The name of a provider in the container, or of the option of its configuration."""
    if isinstance(provider, providers.TypedConfigurationOption):
        return _name(made, provider.option)
    if isinstance(provider, providers.ConfigurationOption):
        root = path_of(made.container, provider._get_root()) or "config"  # noqa: SLF001  # nothing else tells
        return ".".join([root, *map(str, provider.get_name_segments())])
    return path_of(made.container, provider.owner if isinstance(provider, Visitor) else provider)


def _reached(made: Assembly, roots: Iterable[AnyProvider]) -> dict[str, AnyProvider]:
    """The providers with a name that can be reached, in the order in which handlers ask for them."""
    found: dict[str, AnyProvider] = {}
    seen: set[AnyProvider] = set()
    waiting = list(roots)
    while waiting:
        provider = waiting.pop(0)
        if provider in seen:
            continue
        seen.add(provider)
        name = _name(made, provider)
        if name is not None and not _is_option(provider):
            found[name] = provider
        waiting.extend(_related(provider))
    return found


def _is_option(provider: AnyProvider) -> bool:
    return isinstance(provider, providers.ConfigurationOption | providers.TypedConfigurationOption)


def _related(provider: AnyProvider) -> list[AnyProvider]:
    """The dependencies of a provider; the contents of a nested container or a configuration do not count."""
    if _is_option(provider) or isinstance(provider, providers.Container | providers.Configuration):
        return []
    return [needed for needed in provider.related if needed not in provider.overridden]


def _provider(made: Assembly, name: str, provider: AnyProvider) -> Provider:
    named = provider.owner if isinstance(provider, Visitor) else provider
    given = yielded_type(named)
    overriding = provider.last_overriding
    return Provider(
        name=name,
        kind=type(named).__name__,
        gives=None if given is UNKNOWN else show_type(given),
        built_in=name in ServiceContainer.cls_providers,
        on_loop=is_async_resource(provider),
        overridden_by=None if overriding is None else type(overriding).__name__,
        needs=list(dict.fromkeys(_needs(made, provider))),
    )


def _needs(made: Assembly, provider: AnyProvider, seen: frozenset[AnyProvider] = frozenset()) -> Iterator[str]:
    """The names of its dependencies; an unnamed provider is replaced by its own dependencies."""
    for needed in _related(provider):
        name = _name(made, needed)
        if name is not None:
            yield name
        elif needed not in seen:
            yield from _needs(made, needed, seen | {needed})
