"""The providers of a container as the editor shows them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

from dependency_injector import containers, providers

from daebus.app.container import ServiceContainer
from daebus.delivery.per_message import MessageProvider, PerMessage
from daebus.identity.provider import Identity
from daebus.mistakes.places import Place, is_ours, place_of, place_of_class
from daebus.wiring.lookup import inner_container, offered, provider_place
from daebus.wiring.provided_types import UNKNOWN, is_async_resource, yielded_type

from .contracts import Modules, member_of
from .snapshot import Member, Provider

__all__ = ["providers_of"]

AnyProvider = providers.Provider[object]

_COSTS: tuple[tuple[type, str], ...] = (
    (Identity, "found for each message that needs it, once for each connection of a WebSocket"),
    (PerMessage, "opened for each message that needs it, closed after it"),
    (providers.BaseResource, "opened once, when the service starts"),
    (providers.BaseSingleton, "created once, at its first use"),
    (providers.Dependency, "exists once"),
    (providers.Object, "exists once"),
    (providers.Factory, "created each time that it is injected"),
    (providers.Callable, "called each time that it is injected"),
)


def providers_of(container: containers.Container, modules: Modules, prefix: str = "") -> Iterator[Provider]:
    """The providers of a container, and of the containers that are nested in it."""
    for name in offered(container):
        provider = container.providers[name]
        inner = inner_container(provider)
        if inner is not None:
            nested = (one for one in providers_of(inner, modules, f"{prefix}{name}.") if not one.built_in)
            yield from nested
        else:
            yield _provider(container, modules, prefix, name)


def _provider(container: containers.Container, modules: Modules, prefix: str, name: str) -> Provider:
    provider = container.providers[name]
    given = yielded_type(provider)
    overriding = provider.last_overriding
    file, line = _position(provider_place(container, name))
    factory = _factory(provider)
    factory_file, factory_line = (None, None) if factory is None else _position(_defined(factory))
    doc = None if factory is None else inspect.getdoc(factory)
    return Provider(
        name=f"{prefix}{name}",
        kind=type(provider).__name__,
        gives=None if given is UNKNOWN else _member(given, modules),
        cost=next((cost for kind, cost in _COSTS if isinstance(provider, kind)), "read each time that it is injected"),
        needs=_needs(container, provider),
        built_in=name in ServiceContainer.cls_providers,
        on_loop=is_async_resource(provider),
        overridden_by=None if overriding is None else type(overriding).__name__,
        file=file,
        line=line,
        factory_file=factory_file,
        factory_line=factory_line,
        doc=doc.partition("\n\n")[0] if doc else None,
    )


def _member(given: object, modules: Modules) -> Member:
    return member_of(given, modules.is_own)


def _needs(container: containers.Container, provider: AnyProvider) -> list[str]:
    """The names of the providers that are injected into one, also through providers without a name."""
    names = {id(one): name for name, one in container.providers.items()}
    found: dict[str, None] = {}
    seen: set[int] = set()
    waiting = list(provider.related)
    while waiting:
        needed = waiting.pop(0)
        if id(needed) in seen or isinstance(needed, providers.Container):
            continue
        seen.add(id(needed))
        if id(needed) in names:
            found[names[id(needed)]] = None
        else:
            waiting.extend(needed.related)
    return list(found)


def _factory(provider: AnyProvider) -> Callable[..., object] | None:
    """The function or class that creates the object of a provider."""
    if isinstance(provider, MessageProvider):
        made: object = provider.opens
    else:
        made = getattr(provider, "provides", None) if hasattr(type(provider), "provides") else None
    return made if callable(made) and not isinstance(made, providers.Provider) else None


def _defined(factory: Callable[..., object]) -> str | None:
    if isinstance(factory, type):
        return None if is_ours(factory) or factory.__module__ == "builtins" else place_of_class(factory)
    return place_of(factory)


def _position(place: str | None) -> tuple[str | None, int | None]:
    if not isinstance(place, Place):
        return None, None
    span = place.span()
    return place.path, place.line if span is None else span.line
