"""The shapes of functions that become handlers; decorated actions, each a function and a contract for sending."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Generic, ParamSpec, Protocol, TypeVar, cast, overload

from daebus.core.context import Context
from daebus.errors import WiringError
from daebus.payloads.encodable import Encodable

from .contracts import Action, Contract, StreamAction
from .signatures import MISSING, Parameter, Signature
from .specs import ActionSpec

__all__ = [
    "ActionHandler",
    "ContextHandler",
    "ContextPayloadHandler",
    "PayloadHandler",
    "StreamHandler",
    "action_types",
    "is_context",
    "payload_parameters",
    "undecorated",
]

In = TypeVar("In", bound=Encodable)
Out = TypeVar("Out", bound=Encodable)
In_contra = TypeVar("In_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
P = ParamSpec("P")
Rest = ParamSpec("Rest")
R = TypeVar("R")


# pyright counts the payload as covariant, since the second shape fits any of them.
class PayloadHandler(Protocol[In_contra, R_co, P, Rest]):  # pyright: ignore[reportInvalidTypeVarUse]
    """A function whose first parameter is a payload or an event; any parameters may follow.

    Both shapes describe the same function: the first infers what it takes, the second its whole signature, so that
    the decorated name keeps the names of its parameters.
    """

    # `Rest` is whatever follows, and is used nowhere else: some checkers take `*args: Any` for parameters to be there.
    @overload
    def __call__(self, payload: In_contra, /, *args: Rest.args, **kwargs: Rest.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class ContextHandler(Protocol[R_co, P, Rest]):
    """A function that takes the `Context` first."""

    @overload
    def __call__(self, context: Context, /, *args: Rest.args, **kwargs: Rest.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class ContextPayloadHandler(Protocol[In_contra, R_co, P, Rest]):  # pyright: ignore[reportInvalidTypeVarUse]  # as it does above
    """A function that takes the `Context` first, and then a payload."""

    @overload
    def __call__(self, context: Context, payload: In_contra, /, *args: Rest.args, **kwargs: Rest.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


def is_context(parameter: Parameter) -> bool:
    """Whether a parameter asks for the `Context` of the message."""
    return parameter.annotation is Context


def payload_parameters(signature: Signature) -> tuple[Parameter, ...]:
    """The parameters left of the ``*`` that take the payload."""
    return tuple(parameter for parameter in signature.left if not is_context(parameter))


def action_types(signature: Signature) -> tuple[object, object]:
    """The payload type and the reply type, from the handler's signature.

    Raises:
        WiringError: More than one payload, or an annotation is missing.
    """
    payload = payload_parameters(signature)
    if len(payload) > 1:
        raise WiringError(
            signature.problem(
                payload[1],
                f"an action has one payload, and {payload[0].name!r} is already the payload",
                f"put a bare * before {payload[1].name!r} if it is a service, or make one msgspec.Struct of both",
                code="second-payload",
            )
        )
    if payload and payload[0].annotation is MISSING:
        raise WiringError(
            signature.problem(
                payload[0],
                "it has no annotation, so nothing can be validated",
                "annotate it with its type",
                code="missing-annotation",
            )
        )
    if signature.returns is MISSING:
        remedy = "annotate it: -> AsyncIterator[Item]" if signature.streams else "annotate it: -> Reply, or -> None"
        found = "the type that it returns is not annotated"
        raise WiringError(signature.problem(None, found, remedy, code="missing-return"))
    return (payload[0].annotation if payload else NoneType), signature.returns


class _Decorated(Contract, Generic[P, R]):
    """A handler behind its contract."""

    _call: Callable[P, R]
    _spec: ActionSpec
    __wrapped__: Callable[..., object]
    __name__: str
    __qualname__: str

    def __init__(self, handler: Callable[P, R], spec: ActionSpec) -> None:
        contract = spec.contract
        object.__setattr__(self, "name", spec.name)
        object.__setattr__(self, "service", None if contract is None else contract.service)
        self.__dict__.update(_call=handler, _spec=spec, __wrapped__=spec.function)
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            self.__dict__[attribute] = getattr(handler, attribute, None)

    @property
    def types(self) -> tuple[object, ...]:
        """The types of the contract, or of the handler's signature."""
        if "_types" not in self.__dict__:
            contract = self._spec.contract
            types = action_types(self._spec.read_signature()) if contract is None else contract.types
            self.__dict__["_types"] = types
        return cast("tuple[object, ...]", self.__dict__["_types"])

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the handler itself, as a plain function."""
        return self._call(*args, **kwargs)


def undecorated(handler: Callable[..., object]) -> Callable[..., object]:
    """The plain function behind a decorated action (for another decorator) or behind a static method."""
    if isinstance(handler, _Decorated):
        return handler.__wrapped__
    return cast("Callable[..., object]", handler.__func__) if isinstance(handler, staticmethod) else handler


class ActionHandler(_Decorated[P, R], Action[In, Out], Generic[In, Out, P, R]):
    """A decorated action: an `Action` for `Bus.call`, and still the function that it was."""


class StreamHandler(_Decorated[P, R], StreamAction[In, Out], Generic[In, Out, P, R]):
    """A decorated streaming action: a `StreamAction` for `Bus.stream`, and still the function that it was."""
