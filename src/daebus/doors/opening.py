"""Opens doors: the endpoint of an action becomes that of a route, or of messages of WebSockets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any, cast

import msgspec

from daebus.declare.decorated import is_context
from daebus.declare.signatures import Signature
from daebus.declare.specs import ActionSpec, RouteSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.errors import WiringError
from daebus.telemetry.statistics import Statistics

from .checks import check_door
from .concurrency import limited
from .inputs import Inputs, read_inputs
from .replies import checked, checked_object
from .resuming import resuming

__all__ = ["open_door"]

_Call = Callable[..., Any]


def open_door(spec: Spec, endpoint: Endpoint[bytes]) -> Endpoint[Any]:
    """The endpoint of a door: it calls the same handler, behind the same guards and interceptors.

    Args:
        spec: The door.
        endpoint: The endpoint of the action.

    Raises:
        WiringError: With all mistakes of the door.
    """
    signature = endpoint.signature
    inputs = read_inputs(spec, signature) if isinstance(spec, RouteSpec) else None
    problems = check_door(spec, signature, inputs)
    if problems:
        raise WiringError(*problems)
    concurrency = None if spec.opens is None else spec.opens.concurrency
    opened: Endpoint[Any] = msgspec.structs.replace(
        endpoint,
        title=spec.title,
        timeout=spec.timeout,
        interceptors=limited(endpoint.interceptors, concurrency),
        encode=_encoding(spec, signature),
        statistics=Statistics(),
    )
    if inputs is None:
        return opened
    resume = spec.resume if isinstance(spec, RouteSpec) else None
    make = inputs.make if inputs.make is None or resume is None else resuming(inputs.make, inputs, resume)
    return _open_route(opened, msgspec.structs.replace(inputs, make=make))


def _open_route(endpoint: Endpoint[Any], inputs: Inputs) -> Endpoint[Any]:
    signature = endpoint.signature
    contexts = [parameter for parameter in signature.left if is_context(parameter)]
    left = (*inputs.parameters, *contexts)
    return msgspec.structs.replace(
        endpoint,
        signature=msgspec.structs.replace(signature, left=tuple(left)),
        take=_take_nothing,
        call=_calling(endpoint.call, signature, inputs),
        call_directly=_calling(endpoint.call_directly, signature, inputs),
        encode=endpoint.encode,
    )


def _calling(call: _Call, signature: Signature, inputs: Inputs) -> _Call:
    """A function of the values of a request that calls the handler with its payload and its context."""
    make = inputs.make
    contexts = [parameter.name if is_context(parameter) else None for parameter in signature.left]

    def called(**values: object) -> object:
        return call(*(values[name] if name is not None else make and make(values) for name in contexts))

    return called


def _take_nothing(_: object) -> Sequence[object]:
    return ()


def _encoding(spec: Spec, signature: Signature) -> Callable[[object], Any]:
    """What encodes the replies of a door; those of a route are encoded by Litestar."""
    if signature.returns is NoneType and not signature.streams:
        return _silent
    action = cast("ActionSpec", spec.opens)
    kind = signature.returns if action.contract is None else action.contract.types[1]
    is_encoded_later = isinstance(spec, RouteSpec) and not spec.has_events
    return (checked_object if is_encoded_later else checked)(kind, action.name)


def _silent(_: object) -> None: ...
