"""Lookups in a container: its providers, the ones that fit a type, and where they are defined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from dependency_injector import containers, providers

from daebus.identity.provider import Identity, Visitor
from daebus.mistakes.places import is_ours, place_of_class
from daebus.mistakes.render import Note
from daebus.mistakes.show_type import show_type

from .provided_types import UNKNOWN, fits, yielded_type

__all__ = [
    "as_provider",
    "find_fitting",
    "find_used",
    "inner_container",
    "is_bare",
    "is_simple",
    "name_of",
    "names_of",
    "offer",
    "offered",
    "path_of",
    "plain_attribute",
    "plain_attributes",
    "provider_note",
    "provider_place",
]

AnyProvider = providers.Provider[object]


def name_of(container: containers.Container) -> str:
    """The name of its class, for messages."""
    parent = container.declarative_parent
    return "the container" if parent is None else parent.__name__


def is_bare(container: containers.Container) -> bool:
    """Whether the container is the base container of daebus, without extension."""
    return container.declarative_parent is not None and is_ours(container.declarative_parent)


def offered(container: containers.Container) -> Sequence[str]:
    """The names of its providers, those of the user's own classes first."""
    parents = () if container.declarative_parent is None else container.declarative_parent.__mro__
    common = {name for owner in _declarative(parents) if is_ours(owner) for name in owner.cls_providers}
    names = (name for name in container.providers if not name.startswith("_"))
    return sorted(names, key=lambda name: (name in common, name))


def offer(container: containers.Container) -> Note:
    """Its providers for messages: each name with the provided type."""
    shown: list[str] = []
    for name in offered(container):
        given = yielded_type(container.providers[name])
        shown.append(name if given is UNKNOWN else f"{name}: {show_type(given)}")
    return Note(f"{name_of(container)} has {', '.join(shown) or 'no providers'}")


def find_fitting(container: containers.Container, wanted: object) -> Iterator[str]:
    """The names of the providers that give the wanted type, then those of nested containers: ``inner.repo``.

    Yields nothing for a type such as ``int``, which has many different meanings. For a protocol, daebus' own providers
    are left out, as they may have its few methods by chance.
    """
    if wanted in (UNKNOWN, Any) or getattr(wanted, "__module__", None) == "builtins":
        return
    is_protocol = getattr(wanted, "_is_protocol", False)
    for name in offered(container):
        given = yielded_type(container.providers[name])
        if given is UNKNOWN or not fits(given, wanted) or (is_protocol and provider_place(container, name) is None):
            continue
        yield name
    for name in offered(container):
        inner = inner_container(container.providers[name])
        for nested in () if inner is None else find_fitting(inner, wanted):
            yield f"{name}.{nested}"


def provider_place(container: containers.Container, path: str) -> str | None:
    """Where the user's code defines a provider, such as ``repo`` or ``inner.repo``; None: daebus defines it."""
    first, _, rest = path.partition(".")
    inner = inner_container(container.providers.get(first)) if rest else None
    if inner is not None:
        return provider_place(inner, rest)
    parents = () if container.declarative_parent is None else container.declarative_parent.__mro__
    for owner in _declarative(parents):
        if first in owner.__dict__:
            return None if is_ours(owner) else place_of_class(owner, first)
    return None


def provider_note(container: containers.Container, path: str, text: str) -> Note:
    """A note about a provider, at the place where it is defined."""
    return Note(text, provider_place(container, path))


def plain_attribute(container: containers.Container, name: str) -> object:
    """The class attribute of a container that is not a provider; `UNKNOWN` if there is none with this name."""
    return plain_attributes(container).get(name, UNKNOWN)


def plain_attributes(container: containers.Container) -> dict[str, object]:
    """The attributes of the container's class and its bases that are not providers, by name."""
    parents = () if container.declarative_parent is None else container.declarative_parent.__mro__
    found: dict[str, object] = {}
    for owner in reversed(list(_declarative(parents))):
        found.update(owner.__dict__)
    common = containers.DeclarativeContainer.__dict__
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("_") and name not in common and not isinstance(value, providers.Provider)
    }


def as_provider(attribute: object) -> str:
    """The code of a provider for a plain attribute."""
    if isinstance(attribute, type):
        if issubclass(attribute, providers.Provider):
            return f"providers.{attribute.__name__}(...)"
        kind = "Container" if issubclass(attribute, containers.DeclarativeContainer) else "Singleton"
        return f"providers.{kind}({attribute.__name__})"
    return "providers.Factory(...)" if callable(attribute) else "providers.Object(...)"


def names_of(container: containers.Container, prefix: str = "") -> dict[AnyProvider, str]:
    """The providers by name; those of nested containers by their paths."""
    names: dict[AnyProvider, str] = {}
    for name, provider in container.providers.items():
        names.setdefault(provider, prefix + name)
        if isinstance(provider, providers.Container):
            nested = cast("providers.Container[containers.Container]", provider)
            names.update(names_of(nested.container, f"{prefix}{name}."))
    return names


def is_simple(annotation: object) -> bool:
    """Whether a type is too general to identify a service, such as ``str``."""
    return getattr(annotation, "__module__", None) == "builtins"


def path_of(container: containers.Container, wanted: AnyProvider) -> str | None:
    """The name of a provider in a container, such as ``inner.repo``; None if it has no name."""
    for name, provider in container.providers.items():
        if provider is wanted:
            return name
        inner = inner_container(provider)
        below = None if inner is None else path_of(inner, wanted)
        if below is not None:
            return f"{name}.{below}"
    return None


def _declarative(parents: Iterable[type]) -> Iterator[type[containers.DeclarativeContainer]]:
    return (parent for parent in parents if issubclass(parent, containers.DeclarativeContainer))


def find_used(container: containers.Container, wanted: AnyProvider) -> AnyProvider | None:
    """The provider of this container instance that `wanted`, of its class, was copied to."""
    if isinstance(wanted, providers.TypedConfigurationOption):
        option = _find_option(container, wanted.option)
        return option and providers.TypedConfigurationOption(wanted.provides, option, *wanted.args[1:], **wanted.kwargs)
    if isinstance(wanted, providers.ConfigurationOption):
        return _find_option(container, wanted)
    if isinstance(wanted, Visitor):
        identity = _find_copy(container, wanted.owner, _declared(container))
        return identity.visitor if isinstance(identity, Identity) else None
    return _find_copy(container, wanted, _declared(container))


def _find_option(container: containers.Container, wanted: providers.ConfigurationOption) -> AnyProvider | None:
    root = wanted._get_root()  # noqa: SLF001  # nothing else tells which configuration an option belongs to
    here = _find_copy(container, root, _declared(container))
    if here is None:
        return None
    first, *rest = wanted.get_name_segments()
    option = cast("providers.ConfigurationOption", getattr(here, str(first)))
    for segment in rest:
        option = option[segment]

    def required() -> Any:
        # A required option caches its first value, which overrides would not change.
        return option.required()()

    return providers.Callable(required) if wanted.is_required() else option


def _declared(container: containers.Container) -> list[Mapping[str, AnyProvider]]:
    """The providers of a container as its class and its bases declare them."""
    bases = () if container.declarative_parent is None else container.declarative_parent.__mro__
    return [base.cls_providers for base in bases if issubclass(base, containers.DeclarativeContainer)]


def _find_copy(
    container: containers.Container, wanted: AnyProvider, declared: Sequence[Mapping[str, AnyProvider]]
) -> AnyProvider | None:
    for own in declared:
        for name, provider in own.items():
            if provider is wanted:
                return container.providers.get(name)
    for name, nested in container.providers.items():
        inner = inner_container(nested)
        if inner is not None:
            copied = [there.providers for own in declared if (there := inner_container(own.get(name))) is not None]
            found = _find_copy(inner, wanted, [*copied, *_declared(inner)])
            if found is not None:
                return found
    return None


def inner_container(provider: AnyProvider | None) -> containers.Container | None:
    """The container in a provider of a nested container."""
    if isinstance(provider, providers.Container):
        return cast("providers.Container[containers.Container]", provider).container
    return None
