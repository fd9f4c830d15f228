"""Reading a handler's signature: what stands left of the ``*``, what stands right of it, what it returns."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import NoneType

from .errors import WiringError, WiringProblem
from .places import place_of

__all__ = ["MISSING", "Parameter", "Signature", "read_signature", "return_hint", "show_type"]

Function = Callable[..., object]


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING: object = _Missing()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a handler; `annotation` is resolved, `MISSING` where there is none."""

    name: str
    annotation: object
    default: object
    keyword_only: bool

    def __str__(self) -> str:
        return self.name if self.annotation is MISSING else f"{self.name}: {show_type(self.annotation)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A handler's signature.

    Attributes:
        function: The handler.
        where: `file:line` of its definition.
        left: The parameters that come from the message.
        right: The parameters that come from the container.
        returns: The resolved type of what it returns; of an async generator, the type of its items.
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

    def problem(self, parameter: Parameter | None, found: str, remedy: str) -> WiringProblem:
        """A problem of this handler, about one parameter or about the whole."""
        subject = self.name if parameter is None else f"{self.name}({parameter})"
        return WiringProblem(self.where, subject, found, remedy)


def show_type(annotation: object) -> str:
    """An annotation as people write it."""
    if annotation is NoneType:
        return "None"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def read_signature(function: Function, namespace: Mapping[str, object] | None = None) -> Signature:
    """Read and resolve a handler's signature.

    Args:
        function: The handler.
        namespace: Local names that its annotations may mean, where it is defined inside a function.

    Raises:
        WiringError: An annotation cannot be resolved, or there is a ``*args`` or ``**kwargs``.
    """
    where = place_of(function)
    hints = _resolve_hints(function, namespace, where)
    parameters: list[Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise WiringError(
                WiringProblem(
                    where,
                    f"{function.__name__}({parameter})",
                    "neither the message nor the container can fill it",
                    "name each parameter: left of a bare * what comes from the message, right of it the services",
                )
            )
        default: object = MISSING if parameter.default is parameter.empty else parameter.default
        annotation = hints.get(parameter.name, MISSING)
        parameters.append(
            Parameter(parameter.name, annotation, default, keyword_only=parameter.kind is parameter.KEYWORD_ONLY)
        )
    streams = inspect.isasyncgenfunction(function)
    returns = hints.get("return", MISSING)
    return Signature(
        function=function,
        where=where,
        left=tuple(p for p in parameters if not p.keyword_only),
        right=tuple(p for p in parameters if p.keyword_only),
        returns=_item_type(returns) if streams else returns,
        is_async=streams or inspect.iscoroutinefunction(function),
        streams=streams,
    )


def _resolve_hints(function: Function, namespace: Mapping[str, object] | None, where: str) -> dict[str, object]:
    try:
        return typing.get_type_hints(
            function, localns=None if namespace is None else dict(namespace), include_extras=True
        )
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise WiringError(
            WiringProblem(
                where,
                function.__name__,
                f"an annotation cannot be resolved at run time: {error}",
                "import what it names outside of `if TYPE_CHECKING:`, or correct it",
            )
        ) from error


def return_hint(function: object) -> object:
    """The type that a function is annotated to return; `MISSING` where it is not, or where it cannot be resolved."""
    try:
        return typing.get_type_hints(function).get("return", MISSING)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return MISSING


def _item_type(returns: object) -> object:
    origin = typing.get_origin(returns)
    if origin in (AsyncIterator, AsyncGenerator, AsyncIterable):
        return typing.get_args(returns)[0]
    return MISSING
