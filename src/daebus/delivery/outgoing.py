"""Outgoing interceptors: what stands around everything that a bus sends.

They are called once for each bus; what they return is called for each call, stream, send and publish.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from operator import attrgetter
from typing import Literal, Protocol, TypeAlias

import msgspec

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
    """A message on its way out.

    Attributes:
        kind: What is done with it; a publish has no service.
        contract: The action or the channel, with its types; nothing is sent by it.
        service: The service that is asked; None: it is an event.
        name: The name of the action or the channel.
        body: The payload, or the event, as JSON.
        headers: Those that it will have, by names in lower case; may be changed.
        deadline: When the caller stops waiting, in seconds of `time.monotonic`; None: never, or nobody waits.
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
    _origin: object = None  # what it was made from: see daebus.bus.forwarding

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None where there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


# No interceptor is to see it.
origin_of: Callable[[Outgoing], object] = attrgetter("_origin")
"""What a message was made from."""

Forward: TypeAlias = Callable[[Outgoing], Awaitable[msgspec.Raw]]
"""Hands a message on, and returns the reply as JSON: ``null`` where there is none, after a send and a publish.

May be called again, as for another attempt: a call is another request then; a send or an event of a durable channel is
the same one, which is taken once, within 30 s.
"""

ForwardStream: TypeAlias = Callable[[Outgoing], AsyncGenerator[msgspec.Raw]]
"""Hands a message on, and yields each reply as JSON."""


class OutgoingInterceptor(Protocol):
    """What stands around the calls, sends and publishes of a bus, such as a retry or a header that all of them have."""

    def outgoing(self, forward: Forward, /) -> Forward:
        """What is called for each message. Called once for each bus, when that is made.

        Args:
            forward: Hands the message on: to the next interceptor, and in the end to the server. Where it is returned
                itself, messages pass the interceptor by, and cost nothing.
        """
        ...


class OutgoingStreamInterceptor(Protocol):
    """What stands around the streams that a bus reads."""

    def outgoing_stream(self, forward: ForwardStream, /) -> ForwardStream:
        """As `OutgoingInterceptor.outgoing`, for `Bus.stream`."""
        ...


def forward_copy(forward: Forward, outgoing: Outgoing) -> Callable[[], Awaitable[msgspec.Raw]]:
    """Hands a message on whenever it is called, each time as it is now."""
    return lambda: forward(msgspec.structs.replace(outgoing, headers=dict(outgoing.headers)))
