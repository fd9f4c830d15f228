"""dependency-injector's own context-local providers, which do not provide one object per message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from dependency_injector import containers, providers

from daebus.errors import WiringProblem

from .lookup import name_of, names_of, provider_place

__all__ = ["find_context_local"]


def find_context_local(container: containers.Container) -> Iterator[WiringProblem]:
    """The context-local providers of a container, those without a name of their own included.

    A ContextLocalResource is opened once, at the start, and then shared by all messages. An object that a
    ContextLocalSingleton builds at the start, or in a long-running task, is shared by all messages from there, and it
    is not visible when another one is built. Overridden providers are not checked.
    """
    names, seen = names_of(container), set[object]()
    for root, root_name in names.items():
        for provider in (root, *root.traverse()):
            if provider in seen or provider.last_overriding is not None:
                continue
            seen.add(provider)
            name = names.get(provider, root_name)
            if isinstance(provider, providers.ContextLocalResource):
                found = "it is opened once, when the service starts, and shared by all messages"
                remedy = f"for an object per message, write {name} = PerMessage({_shown(provider)}, ...); "
                remedy += "for a shared object, use providers.Resource"
            elif isinstance(provider, providers.ContextLocalSingleton):
                found = "which messages share an object of it depends on where it is first requested"
                remedy = f"for an object per message, write {name} = PerMessage(...) with a function that yields it;  "
                remedy += "for a shared object, use providers.Singleton"
            else:
                continue
            place = provider_place(container, name) or name_of(container)
            yield WiringProblem(place, f"{name_of(container)}.{name}", found, remedy, code="context-local")


def _shown(provider: providers.Provider[object]) -> str:
    opens = cast("providers.Resource[object]", provider).provides
    return getattr(opens, "__qualname__", "open_it")
