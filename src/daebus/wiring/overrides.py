"""Overrides of a wrong type: dependency-injector accepts any object as a fake."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator

from dependency_injector import containers, providers

from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.show_type import show_type

from .lookup import name_of, names_of, provider_place
from .provided_types import UNKNOWN, declared_type, fits

__all__ = ["find_wrong_overrides", "misfit"]

AnyProvider = providers.Provider[object]


def find_wrong_overrides(container: containers.Container) -> Iterator[WiringProblem]:
    """Problems of providers that are overridden by an object that is certainly of the wrong type."""
    for provider, name in names_of(container).items():
        given = provider.last_overriding
        if not isinstance(given, providers.Object):
            continue
        found = misfit(provider, given.provides)
        if found is not None:
            owner = name_of(container)
            yield WiringProblem(
                provider_place(container, name) or owner, f"{owner}.{name}.override(...)", *found, code="wrong-override"
            )


def misfit(provider: AnyProvider, fake: object) -> tuple[str, str] | None:
    """Why an object cannot replace the object of a provider, and the remedy; None: it can.

    A fake need not have all members of the real object, nor be of its class. It is refused only if it has no member of
    it.
    """
    declared = declared_type(provider)
    wanted = typing.get_origin(declared) or declared
    if declared is UNKNOWN or not isinstance(wanted, type) or wanted in (object, type):
        return None
    kind = type(fake)
    # The class of a mock tells what it replaces, if anything; a proxy has every attribute.
    if kind.__module__ == "unittest.mock" or _is_instance(fake, wanted) or _answers_all(kind):
        return None
    shown = show_type(declared)
    if isinstance(fake, type):
        if not _is_class_of(fake, wanted):
            return None
        found = f"it gives an object of {shown}, but is overridden by the class {fake.__name__} itself"
        return found, f"pass an object of it: {fake.__name__}(...)"
    members = _members(wanted)
    if fits(kind, declared) or any(inspect.getattr_static(fake, name, None) is not None for name in members):
        return None
    if not members and kind.__module__ != "builtins":
        return None
    found = f"it gives an object of {shown}, but is overridden by {show_type(kind)}, which has none of its methods"
    return found, f"pass a {wanted.__name__}, a mock of it (Mock(spec={wanted.__name__})), or a class with its methods"


def _is_instance(fake: object, wanted: type) -> bool:
    try:
        return isinstance(fake, wanted)
    except TypeError:  # a protocol, which is checked by its methods
        return False


def _answers_all(kind: type) -> bool:
    """Whether objects of a class have dynamic attributes, as proxies do."""
    own = [base for base in kind.__mro__ if base.__module__ != "builtins"]
    return any({"__getattr__", "__getattribute__"} & vars(base).keys() for base in own)


def _is_class_of(fake: type, wanted: type) -> bool:
    """Whether a class was given instead of an object of it: its methods need an instance."""
    if fake.__module__ == "builtins" or wanted in fake.__mro__:
        return True
    return any(isinstance(vars(fake).get(name), types.FunctionType) for name in _members(wanted))


def _members(kind: type) -> set[str]:
    """The public names of the objects of a class, as far as the class shows them."""
    fields = {name for base in kind.__mro__ for name in vars(base).get("__annotations__", {})}
    return {name for name in {*dir(kind), *fields} if not name.startswith("_")}
