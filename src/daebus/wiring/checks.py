"""What can be wrong with a container in itself, seen before anything is built from it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import cast

from dependency_injector import containers, providers

from daebus.core.errors import WiringError, WiringProblem
from daebus.core.places import caller_place, show_path

from .per_message import PerMessage

__all__ = ["check_container"]

AnyProvider = providers.Provider[object]


def check_container(container: containers.Container, base: type[containers.DeclarativeContainer]) -> None:
    """Refuse a container that is not built on `base`, needs itself, or keeps a per-message object in a singleton.

    Raises:
        WiringError: With all the mistakes.
    """
    problems = list(_problems(container, base))
    if problems:
        raise WiringError(*problems)


def _problems(container: containers.Container, base: type[containers.DeclarativeContainer]) -> Iterator[WiringProblem]:
    owner = container.declarative_parent
    if owner is None or not issubclass(owner, base):
        name = "container" if owner is None else owner.__name__
        yield WiringProblem(
            caller_place(),
            f"container={name}()",
            f"it does not extend {base.__name__}",
            f"write `class {name}({base.__name__}): ...`, and pass an instance of it",
        )
        return
    names = _names(container)
    place = _place_of_class(owner)
    cycle = _find_cycle(names)
    if cycle:
        yield WiringProblem(
            place,
            f"{owner.__name__}.{cycle[0]}",
            f"it needs itself: {' -> '.join(cycle)}",
            "take one of these out of the other, or hand it over by a method after both are built",
        )
    for name, keeper, captured in _captures(names):
        yield WiringProblem(
            place,
            f"{owner.__name__}.{name}",
            f"{keeper} lives as long as the service, but keeps the per-message object of {_shown(captured.opens)}",
            f"make {keeper} a providers.Factory, or pass the object at each call",
        )


def _names(container: containers.Container, prefix: str = "") -> dict[AnyProvider, str]:
    """The providers by name; those of nested containers by their paths."""
    names: dict[AnyProvider, str] = {}
    for name, provider in container.providers.items():
        names.setdefault(provider, prefix + name)
        if isinstance(provider, providers.Container):
            nested = cast("providers.Container[containers.Container]", provider)
            names.update(_names(nested.container, f"{prefix}{name}."))
    return names


def _captures(names: dict[AnyProvider, str]) -> Iterator[tuple[str, str, PerMessage[object]]]:
    """What lives long, also without a name of its own, and what it keeps of a message."""
    seen: set[AnyProvider] = set()
    for root, name in names.items():
        for keeper in (root, *root.traverse()):
            if keeper in seen or not isinstance(keeper, providers.BaseSingleton | providers.BaseResource):
                continue
            seen.add(keeper)
            shown = repr(names[keeper]) if keeper in names else f"the {type(keeper).__name__} below it"
            for captured in keeper.traverse(types=[PerMessage[object]]):
                yield names.get(keeper, name), shown, captured


def _find_cycle(names: dict[AnyProvider, str]) -> list[str]:
    """The names on a provider's way back to itself, the first one also at the end; empty where there is none."""
    done: set[AnyProvider] = set()
    way: list[AnyProvider] = []

    def visit(provider: AnyProvider) -> list[AnyProvider]:
        if provider in way:
            return way[way.index(provider) :]
        # Configuration options and nested containers list what they contain, which is no need.
        if provider in done or isinstance(provider, providers.Container | providers.ConfigurationOption):
            return []
        way.append(provider)
        for needed in provider.related:
            cycle = visit(needed)
            if cycle:
                return cycle
        way.pop()
        done.add(provider)
        return []

    for root, name in names.items():
        cycle = visit(root)
        if cycle:
            shown = [names[provider] for provider in cycle if provider in names] or [name]
            return [*shown, shown[0]]
    return []


def _place_of_class(owner: type) -> str:
    try:
        return f"{show_path(inspect.getsourcefile(owner) or '?')}:{inspect.getsourcelines(owner)[1]}"
    except (OSError, TypeError):
        return owner.__module__


def _shown(function: object) -> str:
    return getattr(function, "__qualname__", repr(function))
