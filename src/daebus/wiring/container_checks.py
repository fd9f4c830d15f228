"""Checks of a container before anything is built from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import cast

from dependency_injector import containers, providers

from daebus.delivery.per_message import MessageProvider
from daebus.errors import WiringError
from daebus.mistakes.places import caller_place, place_of_class
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.suggestions import did_you_mean

from .context_local import find_context_local
from .late import LateDependency
from .lookup import (
    as_provider,
    inner_container,
    name_of,
    names_of,
    offered,
    plain_attribute,
    plain_attributes,
    provider_note,
    provider_place,
)
from .provided_types import UNKNOWN

__all__ = ["check_container", "find_unfilled", "find_unknown_overrides"]

AnyProvider = providers.Provider[object]

_MADE_OF: tuple[type, ...] = (providers.Provider, containers.DeclarativeContainer)


def check_container(container: containers.Container, base: type[containers.DeclarativeContainer]) -> None:
    """Refuse a container that does not extend `base`, has a cycle, or keeps a per-message object in a singleton.

    Raises:
        WiringError: The container has mistakes; the error lists all of them.
    """
    misfit = _misfit(container, base)
    problems = list(_problems(container, base)) if misfit is None else [misfit]
    if problems:
        raise WiringError(*problems)


def find_unfilled(
    container: containers.Container,
    base: type[containers.DeclarativeContainer],
    needed: Iterable[tuple[str, AnyProvider]],
) -> Iterator[WiringProblem]:
    """The unfilled dependencies that the service needs to start.

    Args:
        container: The container.
        base: Its base, whose dependencies are filled at the start.
        needed: The providers that will be called, each with the title of its user.
    """
    seen = {container.providers[name] for name in base.cls_providers if name in container.providers}
    names = names_of(container)
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
                f"this Dependency has no value, and {user} needs it",
                f"give it {_where_given(container, path)}, "
                f"or make it a provider of its own: providers.Singleton({given})",
                code="undefined-dependency",
            )


def _where_given(container: containers.Container, path: str) -> str:
    """Where a dependency is filled: the call that creates its container."""
    outer, _, name = path.rpartition(".")
    if not outer:
        return f"to the container, as {name_of(container)}({name}=...)"
    inner = inner_container(container.providers.get(outer))
    made = "..." if inner is None else name_of(inner)
    return f"to the nested container, as {outer} = providers.Container({made}, {name}=...)"


def find_unknown_overrides(container: containers.Container) -> Iterator[WiringProblem]:
    """Problems of providers in overriding containers that override nothing."""
    owner = container.declarative_parent
    # An overriding class is known only to the class that it overrides by the decorator.
    by_class = cast("tuple[type[containers.Container], ...]", getattr(owner, "overridden", ()))
    for overriding in (*container.overridden, *(one() for one in by_class)):
        for name in overriding.providers:
            if name in container.providers:
                continue
            yield WiringProblem(
                provider_place(overriding, name) or name_of(overriding),
                f"{name_of(overriding)}.{name}",
                f"it overrides nothing: {name_of(container)} has no provider {name!r}",
                did_you_mean(name, offered(container), "remove it"),
                code="unknown-override",
            )


def _misfit(container: containers.Container, base: type[containers.DeclarativeContainer]) -> WiringProblem | None:
    """Why an object cannot be the container of an app at all."""
    if isinstance(container, type):
        name = container.__name__
        found, remedy = "it is the class itself", f"pass an instance of it: container={name}()"
        return WiringProblem(caller_place(), f"container={name}", found, remedy, code="wrong-container")
    if not isinstance(container, containers.Container):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker ran
        found, remedy = (
            f"it is a {type(container).__name__}",
            f"pass an instance of a class that extends {base.__name__}",
        )
        return WiringProblem(caller_place(), "container=", found, remedy, code="wrong-container")
    owner = container.declarative_parent
    if owner is None or not issubclass(owner, base):
        name = "container" if owner is None else owner.__name__
        return WiringProblem(
            caller_place(),
            f"container={name}()",
            f"it does not extend {base.__name__}",
            f"write `class {name}({base.__name__}): ...`, and pass an instance of it",
            code="wrong-container",
            notes=[] if owner is None else [Note(f"{name} is defined here", place_of_class(owner))],
        )
    return None


def _problems(container: containers.Container, base: type[containers.DeclarativeContainer]) -> Iterator[WiringProblem]:
    yield from _replaced(container, base)
    yield from _find_unmade(container)
    owner, names = name_of(container), names_of(container)
    cycle = _find_cycle(names)
    if cycle:
        yield WiringProblem(
            provider_place(container, cycle[0]) or owner,
            f"{owner}.{cycle[0]}",
            f"it needs itself: {' -> '.join(cycle)}",
            "remove one of these dependencies, or pass the object by a method call after both are created",
            code="dependency-cycle",
            notes=[provider_note(container, one, f"{one} needs {two}") for one, two in list(pairwise(cycle))[1:]],
        )
    yield from find_context_local(container)
    for name, keeper, captured in _captures(names):
        yield WiringProblem(
            provider_place(container, name) or owner,
            f"{owner}.{name}",
            f"{keeper} lives as long as the service, but keeps the per-message object of {_shown(captured.opens)}",
            f"make {keeper} a providers.Factory, or pass the object at each call",
            code="captured-message-object",
            notes=[provider_note(container, names[captured], "one for each message")] if captured in names else [],
        )


def _replaced(container: containers.Container, base: type[containers.DeclarativeContainer]) -> Iterator[WiringProblem]:
    """Problems of attributes that replace a dependency that is filled at the start."""
    for name, provider in base.cls_providers.items():
        attribute = plain_attribute(container, name)
        own = container.providers.get(name) if attribute is UNKNOWN else attribute
        if isinstance(provider, providers.Dependency) and not _takes(own, provider):
            yield WiringProblem(
                provider_place(container, name) or name_of(container),
                f"{name_of(container)}.{name}",
                f"daebus sets {name!r} itself when the service starts, but {_described(own)} has this name",
                f"give yours another name; in a test, container.{name}.override(...) replaces it",
                code="reserved-name",
            )


def _takes(own: object, filled: providers.Dependency[object]) -> bool:
    """Whether an object is a dependency that accepts the same objects as another one."""
    if isinstance(filled, LateDependency) and filled.is_like(own):
        return True
    wanted = _wanted(own)
    return wanted is not None and issubclass(filled.instance_of, wanted)


def _wanted(own: object) -> type | None:
    return cast("providers.Dependency[object]", own).instance_of if isinstance(own, providers.Dependency) else None


def _described(own: object) -> str:
    wanted = _wanted(own)
    return f"a {type(own).__name__}" if wanted is None else f"a Dependency of {wanted.__name__}"


def _is_class(attribute: object) -> bool:
    return isinstance(attribute, type) and issubclass(attribute, _MADE_OF)


def _has_provider(attribute: object) -> bool:
    parts = cast("tuple[object, ...]", attribute) if isinstance(attribute, tuple) else ()
    return any(isinstance(part, providers.Provider) for part in parts)


def _find_unmade(container: containers.Container) -> Iterator[WiringProblem]:
    """Attributes that were meant as providers: a provider class, a container class, a provider with a stray comma."""
    for name, attribute in plain_attributes(container).items():
        is_class = _is_class(attribute)
        is_tuple = _has_provider(attribute)
        if is_class or is_tuple:
            found, remedy = "it is a class, not a provider", f"write {name} = {as_provider(attribute)}"
            if is_tuple:
                found, remedy = "it is a tuple with a provider in it", "remove the comma after it"
            where = provider_place(container, name) or name_of(container)
            yield WiringProblem(where, f"{name_of(container)}.{name}", found, remedy, code="not-a-provider")


def _captures(names: dict[AnyProvider, str]) -> Iterator[tuple[str, str, MessageProvider[object]]]:
    """The long-lived providers (also unnamed ones) that keep a per-message object, with that object."""
    seen: set[AnyProvider] = set()
    for root, name in names.items():
        for keeper in (root, *root.traverse()):
            if keeper in seen or not isinstance(keeper, providers.BaseSingleton | providers.BaseResource):
                continue
            seen.add(keeper)
            shown = repr(names[keeper]) if keeper in names else f"the {type(keeper).__name__} below it"
            for captured in keeper.traverse(types=[MessageProvider[object]]):
                yield names.get(keeper, name), shown, captured


def _find_cycle(names: dict[AnyProvider, str]) -> list[str]:
    """The names in a cycle of providers, the first one repeated at the end; empty if there is no cycle."""
    done: set[AnyProvider] = set()
    way: list[AnyProvider] = []

    def visit(provider: AnyProvider) -> list[AnyProvider]:
        if provider in way:
            return way[way.index(provider) :]
        # A nested container lists its contents, which are not dependencies.
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
