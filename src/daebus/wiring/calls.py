"""Calling a handler with its services, in as few steps as by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from dependency_injector import providers

from .per_message import MessageScope, OpenScope

__all__ = ["Injection"]

T = TypeVar("T")

AnyProvider = providers.Provider[object]


class Injection:
    """The services of one handler: providers that are called anew for each message, so that overrides count.

    Attributes:
        bindings: The providers by the names of the parameters.
        opened: As `MessageScope.opened`.
    """

    __slots__ = ("bindings", "opened")

    def __init__(self, bindings: Mapping[str, AnyProvider]) -> None:
        self.bindings: tuple[tuple[str, AnyProvider], ...] = tuple(bindings.items())
        scope = MessageScope(bindings.values())
        self.opened: Callable[..., OpenScope | None] = scope.opened
        if not scope.order:  # nothing is to be opened, unless an override brings it in
            names = {f"_p{index}": provider for index, provider in enumerate(scope.reached)}
            untouched = " and ".join(f"{name}.last_overriding is None" for name in names) or "True"
            source = f"lambda in_thread=False: None if {untouched} else _opened(in_thread=in_thread)"
            self.opened = _compile(source, {**names, "_opened": scope.opened})

    def bind(self, function: Callable[..., T], left: str = "") -> Callable[..., T]:
        """What calls `function` with the services, each from its provider: ``lambda a: function(a, repo=p0())``.

        Args:
            function: Takes the services by name.
            left: The other arguments, which are passed on: ``a, b`` or ``**others``.
        """
        named = [f"{name}=_p{index}()" for index, (name, _) in enumerate(self.bindings)]
        names = {f"_p{index}": provider for index, (_, provider) in enumerate(self.bindings)}
        source = f"lambda {left}: _function({', '.join([left, *named] if left else named)})"
        return _compile(source, {"_function": function, **names})


def _compile(source: str, names: Mapping[str, object]) -> Callable[..., Any]:
    """A function from source: loops over the providers, for each message, would take as long as the services.

    Nothing but names of parameters, which are identifiers, gets into it.
    """
    return cast("Callable[..., Any]", eval(source, dict(names)))  # noqa: S307
