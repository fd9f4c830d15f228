"""Reads a handler's signature: the parameters left and right of the ``*``, and the return type."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping, Sequence

import msgspec

from daebus.errors import WiringError
from daebus.mistakes.places import place_of
from daebus.mistakes.problem import Code, WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.show_type import show_type

from .hints import UNRESOLVED, resolve_hints

__all__ = ["MISSING", "Parameter", "Signature", "read_signature", "return_hint"]

Function = Callable[..., object]


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING: object = _Missing()


class Parameter(msgspec.Struct, frozen=True):
    """One parameter of a handler; `annotation` is the resolved type, or `MISSING` if there is none."""

    name: str
    annotation: object
    default: object
    keyword_only: bool

    def __str__(self) -> str:
        return self.name if self.annotation is MISSING else f"{self.name}: {show_type(self.annotation)}"


class Signature(msgspec.Struct, frozen=True):
    """A handler's signature.

    Attributes:
        function: The handler.
        where: `file:line` of its definition.
        left: The parameters that come from the message.
        right: The parameters that come from the container.
        returns: The resolved return type; for an async generator, the type of its items.
        is_async: Whether it runs on the event loop.
        streams: Whether it is an async generator.
    """

    function: Function
    where: str
    left: tuple[Parameter, ...]
    right: tuple[Parameter, ...]
    returns: object
    is_async: bool
    streams: bool

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    def problem(
        self,
        parameter: Parameter | None,
        found: str,
        remedy: str,
        *,
        code: Code = "wiring",
        notes: Sequence[Note] = (),
        part: str | None = None,
    ) -> WiringProblem:
        """A problem of this handler: with a parameter, with another part such as ``return``, or with the whole."""
        name = None if parameter is None else parameter.name
        subject = self.name if parameter is None else f"{self.name}({parameter})"
        where = place_of(self.function, name or part)
        return WiringProblem(where, subject, found, remedy, code=code, parameter=name, notes=notes)


def read_signature(function: Function, namespace: Mapping[str, object] | None = None) -> Signature:
    """Read and resolve a handler's signature.

    Args:
        function: The handler.
        namespace: Local names that its annotations may mean, where it is defined inside a function.

    Raises:
        WiringError: An annotation cannot be resolved, or there is a ``*args`` or ``**kwargs``.
    """
    hints = resolve_hints(function, namespace)
    parameters: list[Parameter] = []
    problems: list[WiringProblem] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            problems.append(_unfillable(function, parameter))
        default: object = MISSING if parameter.default is parameter.empty else parameter.default
        annotation = hints.get(parameter.name, MISSING)
        parameters.append(
            Parameter(parameter.name, annotation, default, keyword_only=parameter.kind is parameter.KEYWORD_ONLY)
        )
    if problems:
        raise WiringError(*problems)
    streams = inspect.isasyncgenfunction(function)
    returns = hints.get("return", MISSING)
    return Signature(
        function=function,
        where=str(place_of(function)),
        left=tuple(p for p in parameters if not p.keyword_only),
        right=tuple(p for p in parameters if p.keyword_only),
        returns=_item_type(returns) if streams else returns,
        is_async=streams or inspect.iscoroutinefunction(function),
        streams=streams,
    )


def _unfillable(function: Function, parameter: inspect.Parameter) -> WiringProblem:
    return WiringProblem(
        place_of(function, parameter.name),
        f"{function.__name__}({parameter})",
        "neither the message nor the container can fill it",
        "name each parameter: left of a bare * what comes from the message, right of it the services; "
        "a decorator that replaces the handler needs functools.wraps",
        code="unfillable-parameter",
        parameter=parameter.name,
    )


def return_hint(function: object) -> object:
    """The annotated return type of a function; `MISSING` if there is none or it cannot be resolved."""
    try:
        return typing.get_type_hints(function).get("return", MISSING)
    except UNRESOLVED:
        return MISSING


def _item_type(returns: object) -> object:
    origin = typing.get_origin(returns)
    if origin in (AsyncIterator, AsyncGenerator, AsyncIterable):
        return typing.get_args(returns)[0]
    return MISSING
