"""The type of the object that a provider gives, found without calling the provider."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Union, cast

from dependency_injector import providers, resources
from typing_extensions import get_protocol_members

from daebus.declare.signatures import MISSING, return_hint
from daebus.delivery.per_message import MessageProvider
from daebus.identity.provider import Identity, Visitor
from daebus.mistakes.places import unwrap

__all__ = [
    "UNKNOWN",
    "accepts_none",
    "declared_type",
    "find_unawaited",
    "find_unentered",
    "fits",
    "is_async_resource",
    "is_iterator",
    "missing_members",
    "yielded_type",
]

UNKNOWN: object = MISSING
"""The type cannot be known without calling the provider."""

_RESOURCES: tuple[type, ...] = (resources.Resource, resources.AsyncResource)

_ITERABLES = (Iterable, AsyncIterable)

AnyProvider = providers.Provider[object]


def yielded_type(provider: AnyProvider) -> object:
    """The type of a provider's object; `UNKNOWN` if only a call would show it."""
    if provider.last_overriding is not None:
        return yielded_type(provider.last_overriding)
    return declared_type(provider)


def declared_type(provider: AnyProvider) -> object:
    """The type of a provider's object, ignoring overrides of the provider; `UNKNOWN` if only a call would show it."""
    match provider:
        case providers.Dependency():
            return UNKNOWN if provider.instance_of is object else provider.instance_of
        case providers.DependenciesContainer():
            return UNKNOWN
        case providers.Object():
            # A mock with a spec has the class of the spec; any other mock fits every type.
            kind = provider.provides.__class__
            return UNKNOWN if kind.__module__ == "unittest.mock" else kind
        case MessageProvider():
            return _message_type(provider)
        case providers.BaseResource():
            return _opened_type(provider.provides)
        case providers.Selector():
            options = {id(option): option for option in map(yielded_type, provider.providers.values())}
            if not options or UNKNOWN in options.values():
                return UNKNOWN
            return Union[tuple(options.values())]  # noqa: UP007  # the members are known only at run time
        case providers.Factory() | providers.BaseSingleton() | providers.Callable():
            return _called_type(cast("providers.Factory[object]", provider).provides)
        case _:
            return UNKNOWN


def _message_type(provider: MessageProvider[object]) -> object:
    return provider.given_type if isinstance(provider, Identity | Visitor) else _opened_type(provider.opens)


def accepts_none(annotation: object) -> bool:
    """Whether an annotation says that a value may be None: ``User | None``."""
    members = typing.get_args(_plain(annotation))
    return typing.get_origin(_plain(annotation)) in (Union, types.UnionType) and type(None) in members


def _called_type(provides: object) -> object:
    """The type of the result of calling `provides`: the class itself, or the return annotation of a function."""
    if isinstance(provides, providers.Provider):
        return yielded_type(cast("AnyProvider", provides))
    if isinstance(provides, type):
        return provides
    if not callable(provides):
        return UNKNOWN
    inner = unwrap(provides)
    # A function decorated with `contextmanager` still has the return hint of the generator.
    return UNKNOWN if _is_generator(inner) and inner is not provides else return_hint(inner)


def _opened_type(provides: object) -> object:
    """The type after opening `provides`: the item of a generator, or the value of a context manager."""
    opened = unwrap(provides) if callable(provides) else provides
    if _is_generator(opened):
        return _argument(return_hint(opened))
    given = _called_type(opened)
    kind = typing.get_origin(given) or given
    if kind in (AbstractAsyncContextManager, AbstractContextManager):
        return _argument(given)
    is_resource = isinstance(kind, type) and issubclass(kind, _RESOURCES)
    methods = ("init",) if is_resource else ("__aenter__", "__enter__")
    entering = next((method for method in methods if hasattr(kind, method)), None)
    if entering is None:
        return given
    hint = return_hint(getattr(kind, entering))
    if str(hint) == "typing.Self":
        return given
    return UNKNOWN if isinstance(hint, typing.TypeVar) or bool(getattr(hint, "__parameters__", ())) else hint


def _is_generator(function: object) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _argument(hint: object) -> object:
    """The first type argument, such as the item type of an `Iterator`."""
    return next(iter(typing.get_args(hint)), UNKNOWN)


def find_unawaited(provider: AnyProvider) -> Callable[..., object] | None:
    """A coroutine function or a nested async generator below a provider, whose result would not be awaited.

    Resources are awaited when the service starts, and `PerMessage` enters what it opens.
    """
    seen: set[AnyProvider] = set()

    def visit(here: AnyProvider) -> Callable[..., object] | None:
        if here.last_overriding is not None:
            return visit(here.last_overriding)
        if here in seen or isinstance(here, providers.BaseResource):
            return None
        seen.add(here)
        if isinstance(here, providers.Factory | providers.BaseSingleton | providers.Callable):
            provides = cast("providers.Factory[object]", here).provides
            nested = here is not provider
            if inspect.iscoroutinefunction(provides) or (nested and inspect.isasyncgenfunction(provides)):
                return provides
        found = (visit(needed) for needed in here.related)
        return next((function for function in found if function is not None), None)

    return visit(provider)


def find_unentered(provider: AnyProvider) -> Callable[..., object] | None:
    """The generator function behind a provider that gives the generator itself, instead of what it yields."""
    if provider.last_overriding is not None:
        return find_unentered(provider.last_overriding)
    if not isinstance(provider, providers.Factory | providers.BaseSingleton | providers.Callable):
        return None
    provides = cast("providers.Factory[object]", provider).provides
    return provides if _is_generator(provides) else None


def is_iterator(annotation: object) -> bool:
    """Whether the annotation asks for a generator. In doubt: yes."""
    plain = _plain(annotation)
    kind = typing.get_origin(plain) or plain
    return not isinstance(kind, type) or issubclass(kind, _ITERABLES) or kind is object


def is_async_resource(provider: AnyProvider) -> bool:
    """Whether a provider is a Resource that is opened on the event loop."""
    if provider.last_overriding is not None:
        return is_async_resource(provider.last_overriding)
    if not isinstance(provider, providers.BaseResource):
        return False
    opens = unwrap(provider.provides)
    if inspect.isasyncgenfunction(opens) or inspect.iscoroutinefunction(opens):
        return True
    given = opens if isinstance(opens, type) else return_hint(opens)
    kind = typing.get_origin(given) or given
    if isinstance(kind, type) and issubclass(kind, _RESOURCES):
        return issubclass(kind, resources.AsyncResource)
    return hasattr(kind, "__aenter__") and not hasattr(kind, "__enter__")


def fits(given: object, wanted: object) -> bool:
    """Whether an object of type `given` may be passed where `wanted` is annotated. In doubt: yes."""
    given, wanted = _plain(given), _plain(wanted)
    if given is UNKNOWN or wanted is UNKNOWN or typing.Any in (given, wanted) or wanted is object or given == wanted:
        return True
    # A union on the given side is split first: each member may fit another wanted type.
    if typing.get_origin(given) in (Union, types.UnionType):
        return all(fits(member, wanted) for member in typing.get_args(given))
    if typing.get_origin(wanted) in (Union, types.UnionType):
        return any(fits(given, member) for member in typing.get_args(wanted))
    given_class = typing.get_origin(given) or given
    wanted_class = typing.get_origin(wanted) or wanted
    if not isinstance(given_class, type) or not isinstance(wanted_class, type):
        return True
    if given_class is int and wanted_class in (float, complex):
        return True
    if getattr(wanted_class, "_is_protocol", False):
        return not _missing_members(given_class, wanted_class)
    try:
        return issubclass(given_class, wanted_class)
    except TypeError:  # such as a TypedDict
        return True


def _plain(annotation: object) -> object:
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    return type(None) if annotation is None else annotation


def missing_members(given: object, wanted: object) -> list[str]:
    """The methods of a protocol that a class does not have."""
    given_class, wanted_class = typing.get_origin(given) or given, typing.get_origin(wanted) or wanted
    if not isinstance(given_class, type) or not getattr(wanted_class, "_is_protocol", False):
        return []
    return _missing_members(given_class, cast("type", wanted_class))


def _missing_members(given: type, protocol: type) -> list[str]:
    """The missing members, by name only; instance attributes of the class are not visible."""
    methods = [name for name in get_protocol_members(protocol) if callable(getattr(protocol, name, None))]
    return sorted(name for name in methods if not hasattr(given, name))
