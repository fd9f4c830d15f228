"""Calls a handler with its services, as fast as hand-written code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

from dependency_injector import providers

from .scopes import MessageScope, OpenScope

__all__ = ["Injection"]

T = TypeVar("T")

AnyProvider = providers.Provider[object]


class Injection:
    """The services of one handler. The providers are called for each message, so that overrides take effect.

    Attributes:
        bindings: The providers by the names of the parameters.
        opened: As `MessageScope.opened`.
    """

    __slots__ = ("_reached", "bindings", "opened")

    def __init__(self, bindings: Mapping[str, AnyProvider]) -> None:
        self.bindings: tuple[tuple[str, AnyProvider], ...] = tuple(bindings.items())
        scope = MessageScope(bindings.values())
        self.opened: Callable[..., OpenScope | None] = scope.opened
        self._reached = None if scope.order else scope.reached

    def along_with(self, bindings: Mapping[str, AnyProvider]) -> Injection:
        """An injection with further providers, which are opened before the others."""
        return Injection({**bindings, **dict(self.bindings)}) if bindings else self

    def bind(self, function: Callable[..., T], left: str = "") -> Callable[..., T]:
        """A function that calls `function` with the services of the providers: ``lambda a: function(a, repo=p0())``.

        Args:
            function: Takes the services by name.
            left: The other arguments, which are passed on: ``a, b`` or ``**others``.
        """
        return self._compile(function, left) if self.bindings else function

    def bind_directly(self, function: Callable[..., T], left: str = "") -> Callable[..., T | None]:
        """Like `bind`, but returns None without a call if a per-message object may have to be opened first.

        That is so if a provider is, or may be by an override, one of an object per message.
        """
        if self._reached is None:
            return _nothing
        if not self._reached:
            return function
        reached = {f"_r{index}": provider for index, provider in enumerate(self._reached)}
        return self._compile(function, left, reached)

    def _compile(
        self, function: Callable[..., T], left: str, untouched: Mapping[str, AnyProvider] = MappingProxyType({})
    ) -> Callable[..., Any]:
        """Compile it from source: a loop over the providers for each message would take as long as the services.

        The source contains only names of parameters, which are identifiers.
        """
        providers = {f"_p{index}": provider for index, (_, provider) in enumerate(self.bindings)}
        named = [f"{name}=_p{index}()" for index, (name, _) in enumerate(self.bindings)]
        source = f"lambda {left}: _function({', '.join([left, *named] if left else named)})"
        if untouched:
            source += f" if {' and '.join(f'{name}.last_overriding is None' for name in untouched)} else None"
        names = {"_function": function, **providers, **untouched}
        return cast("Callable[..., Any]", eval(source, names))  # noqa: S307


def _nothing(*_: object, **__: object) -> None: ...
