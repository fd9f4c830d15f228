"""Outgoing interceptors: functions that wrap everything that a bus sends.

They are called once for each bus; the function that they return is called for each call, stream, send and publish.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from operator import attrgetter
from typing import Literal, Protocol, TypeAlias

import msgspec

from daebus.core.context import Context, current_context
from daebus.declare.contracts import Contract

__all__ = [
    "Forward",
    "ForwardStream",
    "Outgoing",
    "OutgoingInterceptor",
    "OutgoingStreamInterceptor",
    "forward_copy",
    "origin_of",
]


class Outgoing(msgspec.Struct, kw_only=True):
    """An outgoing message.

    Attributes:
        kind: The operation; a publish has no service.
        contract: The action or the channel, with its types; for information only.
        service: The target service; None: it is an event.
        name: The name of the action or the channel.
        body: The payload, or the event, as JSON.
        headers: Its headers, by names in lower case; an interceptor may change them.
        deadline: When the caller stops waiting, in seconds of `time.monotonic`; None: never, or there is no waiting
            caller.
        idempotency_key: Requests with the same key and payload run once; None: it has none.
    """

    kind: Literal["call", "stream", "send", "publish"]
    contract: Contract
    service: str | None
    name: str
    body: bytes
    headers: dict[str, str]
    deadline: float | None = None
    idempotency_key: str | None = None
    _origin: object = None  # the original of this message: see daebus.bus.forwarding

    @property
    def context(self) -> Context | None:
        """The message whose handler sends this one, with its headers; None: a script or a thread sends it."""
        return current_context.get()

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None if there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


# Interceptors must not see it.
origin_of: Callable[[Outgoing], object] = attrgetter("_origin")
"""The original of a message."""

Forward: TypeAlias = Callable[[Outgoing], Awaitable[msgspec.Raw]]
"""Passes a message on and returns the reply as JSON; after a send or a publish it is ``null``.

It may be called again, for example for a retry. A repeated call is a new request; a repeated send or event of a durable
channel within 30 s is deduplicated.
"""

ForwardStream: TypeAlias = Callable[[Outgoing], AsyncGenerator[msgspec.Raw]]
"""Passes a message on and yields each reply as JSON."""


class OutgoingInterceptor(Protocol):
    """Wraps the calls, sends and publishes of a bus, such as a retry or a common header."""

    def outgoing(self, forward: Forward, /) -> Forward:
        """Return the function that is called for each message. Called once for each bus, when it is created.

        Args:
            forward: Passes the message on, to the next interceptor and finally to the server. If it is returned itself,
                messages bypass the interceptor, at no cost.
        """
        ...


class OutgoingStreamInterceptor(Protocol):
    """Wraps the streams that a bus reads."""

    def outgoing_stream(self, forward: ForwardStream, /) -> ForwardStream:
        """Return the function that is called for each `Bus.stream`. Called once for each bus, when it is created."""
        ...


def forward_copy(forward: Forward, outgoing: Outgoing) -> Callable[[], Awaitable[msgspec.Raw]]:
    """A function that passes on a copy of the message as it is now, at each call."""
    return lambda: forward(msgspec.structs.replace(outgoing, headers=dict(outgoing.headers)))
