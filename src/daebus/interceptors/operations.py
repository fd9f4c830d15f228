"""What is done with a message, in the names of the semantic conventions of OpenTelemetry (1.44).

Calls have the names of RPC; sends, events and their handlers those of messaging; routes those of HTTP. Kinds of
handlers without a convention have names that begin with ``daebus.``. No value is an id: the number of different values
does not grow with the number of messages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

import msgspec

from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.failures import code_of, is_for_senders
from daebus.delivery.outgoing import Outgoing
from daebus.errors import Internal, Timeout, Unavailable
from daebus.telemetry.traces import is_awaited

__all__ = [
    "CANCELLED",
    "DELAY",
    "DURATIONS",
    "ERROR_TYPE",
    "STATUS",
    "Operation",
    "error_type",
    "failed_status",
    "incoming_operation",
    "is_operation",
    "outgoing_operation",
    "status_of",
    "variant",
]

ERROR_TYPE = "error.type"
"""The attribute with the code of the error with which an operation ended; it is missing if that succeeded."""

DELAY = "daebus.task.delay"
"""The metric for how much later than due the runs of background tasks start."""

DURATIONS = {
    "rpc.server.call.duration": "Calls and streams that actions have handled.",
    "rpc.client.call.duration": "Calls and streams of this process.",
    "messaging.process.duration": "Events and sent requests that were handled.",
    "messaging.client.operation.duration": "Sends and publishes of this process.",
    "http.server.request.duration": "HTTP requests that routes have handled.",
    "daebus.socket.message.duration": "WebSocket messages that were handled.",
    "daebus.task.duration": "Runs of background tasks, and of the handlers of start and stop.",
    DELAY: "How much later than due the runs of background tasks have started.",
}
"""The metrics of durations in seconds, and what they are of."""

CANCELLED = "cancelled"
"""The `ERROR_TYPE` of a message whose sender does not wait for it any more."""

STATUS = "http.response.status_code"
"""The attribute with the status of an HTTP response."""

_SYSTEM = "daebus"

Kind: TypeAlias = Literal["server", "client", "producer", "consumer", "internal"]


class Operation(msgspec.Struct, frozen=True):
    """One kind of operation.

    Attributes:
        metric: The metric for its duration.
        name: The name of its spans.
        kind: The kind of its spans.
        attributes: The attributes of both.
    """

    metric: str
    name: str
    kind: Kind
    attributes: Mapping[str, str]


def is_operation(endpoint: Endpoint[object]) -> bool:
    """Whether the messages of a handler are operations. The runs of threads are not, as they have no end."""
    return endpoint.kind in _INCOMING


def variant(endpoint: Endpoint[object], incoming: Incoming, status: int = 0) -> object:
    """What distinguishes the operations of one handler: messages of equal variants are the same operation.

    Args:
        endpoint: The handler.
        incoming: The message.
        status: The HTTP status of the response; only for routes.
    """
    if endpoint.kind == "action":
        return is_awaited(incoming.context)
    if endpoint.kind == "route":
        scope = cast("Mapping[str, object]", incoming.part)
        return scope["method"], scope["scheme"], status
    return None


def incoming_operation(endpoint: Endpoint[object], incoming: Incoming, of: object) -> Operation:
    """The operation of a message that a handler gets; `of`: its `variant`."""
    make = _INCOMING[endpoint.kind]
    return make(endpoint, incoming.context.service, of)


def outgoing_operation(outgoing: Outgoing) -> Operation:
    """The operation of a message that is sent."""
    name = outgoing.name if outgoing.service is None else f"{outgoing.service}/{outgoing.name}"
    if outgoing.kind in ("call", "stream"):
        attributes = {"rpc.system.name": _SYSTEM, "rpc.method": name}
        return Operation("rpc.client.call.duration", name, "client", attributes)
    attributes = _messaging(outgoing.kind, "send", name)
    return Operation("messaging.client.operation.duration", f"{outgoing.kind} {name}", "producer", attributes)


def failed_status(error: BaseException) -> int:
    """The HTTP status of the response if a handler has raised an error."""
    if is_for_senders(error):
        return error.status
    return Unavailable.status if code_of(error) == Unavailable.code else Internal.status


def status_of(endpoint: Endpoint[object], reply: object) -> int:
    """The HTTP status of the response of a route, given what its handler has returned."""
    response = getattr(reply, "result", reply)  # Litestar encodes some responses later
    return getattr(response, "status", None) or getattr(response, "status_code", None) or endpoint.status


def error_type(error: BaseException, deadline: float | None) -> str:
    """The code of the error that the sender of a message gets.

    Args:
        error: What the handler has raised.
        deadline: When the sender stops waiting, in seconds of `time.monotonic`; None: never.
    """
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return Timeout.code if deadline is not None and time.monotonic() >= deadline else CANCELLED
    return code_of(error)


def _action(endpoint: Endpoint[object], service: str, of: object) -> Operation:
    name = f"{service}/{endpoint.name}"
    if of:
        attributes = {"rpc.system.name": _SYSTEM, "rpc.method": name}
        return Operation("rpc.server.call.duration", name, "server", attributes)
    attributes = _messaging("process", "process", name)
    return Operation("messaging.process.duration", f"process {name}", "consumer", attributes)


def _listen(endpoint: Endpoint[object], service: str, _: object) -> Operation:
    channel = endpoint.title.partition(" ")[2]
    group = {"messaging.consumer.group.name": f"{service}/{endpoint.name}"}
    attributes = {**_messaging("process", "process", channel), **group}
    return Operation("messaging.process.duration", f"process {channel}", "consumer", attributes)


def _route(endpoint: Endpoint[object], _: str, of: object) -> Operation:
    method, scheme, status = cast("tuple[str, str, int]", of)
    path = endpoint.name.partition(" ")[2]
    attributes = {"http.request.method": method, "http.route": path, "url.scheme": scheme}
    if status:
        attributes[STATUS] = str(status)
    return Operation("http.server.request.duration", f"{method} {path}", "server", attributes)


def _socket(endpoint: Endpoint[object], service: str, _: object) -> Operation:
    kind = endpoint.title.partition(" ")[2] or endpoint.kind.removeprefix("socket_")
    attributes = {"daebus.service": service, "daebus.message.type": kind}
    return Operation("daebus.socket.message.duration", endpoint.title, "server", attributes)


def _task(endpoint: Endpoint[object], service: str, _: object) -> Operation:
    name = endpoint.name if endpoint.kind == "background" else endpoint.title
    attributes = {"daebus.service": service, "daebus.task": name}
    return Operation("daebus.task.duration", endpoint.title, "internal", attributes)


def _messaging(operation: str, kind: str, destination: str) -> dict[str, str]:
    return {
        "messaging.system": _SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": destination,
    }


_INCOMING = {
    "action": _action,
    "listen": _listen,
    "route": _route,
    "socket": _socket,
    "socket_connect": _socket,
    "socket_join": _socket,
    "socket_disconnect": _socket,
    "background": _task,
    "on_start": _task,
    "on_stop": _task,
}
