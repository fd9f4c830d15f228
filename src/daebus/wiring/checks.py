"""What can be wrong with a container in itself, seen before anything is built from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import cast

from dependency_injector import containers, providers

from daebus.core.diagnostics import Note
from daebus.core.errors import WiringError
from daebus.core.places import caller_place, place_of_class
from daebus.core.problems import WiringProblem

from .lookup import name_of, offered, provider_note, provider_place
from .per_message import PerMessage

__all__ = ["check_container", "find_unfilled", "find_unknown_overrides"]

AnyProvider = providers.Provider[object]


def check_container(container: containers.Container, base: type[containers.DeclarativeContainer]) -> None:
    """Refuse a container that is not built on `base`, needs itself, or keeps a per-message object in a singleton.

    Raises:
        WiringError: With all the mistakes.
    """
    problems = list(_problems(container, base))
    if problems:
        raise WiringError(*problems)


def find_unfilled(
    container: containers.Container,
    base: type[containers.DeclarativeContainer],
    needed: Iterable[tuple[str, AnyProvider]],
) -> Iterator[WiringProblem]:
    """The dependencies that nobody has filled, though a service is to be started that needs them.

    Args:
        container: The container.
        base: Its base, whose dependencies are filled at the start.
        needed: What is going to be called, and by whom.
    """
    seen = {container.providers[name] for name in base.cls_providers if name in container.providers}
    names = _names(container)
    for user, root in needed:
        for provider in (root, *root.traverse()):
            if provider in seen or not isinstance(provider, providers.Dependency) or provider.is_defined:
                continue
            seen.add(provider)
            path = names.get(provider, "a Dependency")
            owner, given = name_of(container), provider.instance_of.__name__
            yield WiringProblem(
                provider_place(container, path) or owner,
                f"{owner}.{path}",
                f"nothing fills this Dependency, and {user} needs it",
                f"give it to the container, as {owner}({path.partition('.')[0]}=...), "
                f"or make it a provider of its own: providers.Singleton({given})",
                code="undefined-dependency",
            )


def find_unknown_overrides(container: containers.Container) -> Iterator[WiringProblem]:
    """The providers of overriding containers that override nothing."""
    for overriding in container.overridden:
        for name in overriding.providers:
            if name in container.providers:
                continue
            close = difflib.get_close_matches(name, offered(container), n=1)
            yield WiringProblem(
                provider_place(overriding, name) or name_of(overriding),
                f"{name_of(overriding)}.{name}",
                f"it overrides nothing: {name_of(container)} has no provider {name!r}",
                f"did you mean {close[0]!r}?" if close else "remove it",
                code="unknown-override",
            )


def _problems(container: containers.Container, base: type[containers.DeclarativeContainer]) -> Iterator[WiringProblem]:
    if isinstance(container, type):
        name = container.__name__
        found, remedy = "it is the class itself", f"pass an instance of it: container={name}()"
        yield WiringProblem(caller_place(), f"container={name}", found, remedy, code="wrong-container")
        return
    owner = container.declarative_parent
    if owner is None or not issubclass(owner, base):
        name = "container" if owner is None else owner.__name__
        yield WiringProblem(
            caller_place(),
            f"container={name}()",
            f"it does not extend {base.__name__}",
            f"write `class {name}({base.__name__}): ...`, and pass an instance of it",
            code="wrong-container",
            notes=[] if owner is None else [Note(f"{name} is defined here", place_of_class(owner))],
        )
        return
    yield from _replaced(container, base)
    names = _names(container)
    cycle = _find_cycle(names)
    if cycle:
        yield WiringProblem(
            provider_place(container, cycle[0]) or place_of_class(owner),
            f"{owner.__name__}.{cycle[0]}",
            f"it needs itself: {' -> '.join(cycle)}",
            "take one of these out of the other, or hand it over by a method after both are built",
            code="dependency-cycle",
            notes=[provider_note(container, one, f"{one} needs {two}") for one, two in list(pairwise(cycle))[1:]],
        )
    for name, keeper, captured in _captures(names):
        yield WiringProblem(
            provider_place(container, name) or place_of_class(owner),
            f"{owner.__name__}.{name}",
            f"{keeper} lives as long as the service, but keeps the per-message object of {_shown(captured.opens)}",
            f"make {keeper} a providers.Factory, or pass the object at each call",
            code="captured-message-object",
            notes=[provider_note(container, names[captured], "one a message")] if captured in names else [],
        )


def _replaced(container: containers.Container, base: type[containers.DeclarativeContainer]) -> Iterator[WiringProblem]:
    """What stands in the place of a dependency that is filled at the start."""
    for name, provider in base.cls_providers.items():
        own = container.providers.get(name)
        if isinstance(provider, providers.Dependency) and not isinstance(own, providers.Dependency):
            yield WiringProblem(
                provider_place(container, name) or name_of(container),
                f"{name_of(container)}.{name}",
                f"daebus itself fills {name!r} when the service starts, and cannot where a {type(own).__name__} stands",
                f"give yours another name; for a test, container.{name}.override(...) replaces it",
                code="reserved-name",
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
        # A nested container lists what it contains, which is no need.
        if provider in done or isinstance(provider, providers.Container):
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


def _shown(function: object) -> str:
    return getattr(function, "__qualname__", repr(function))
