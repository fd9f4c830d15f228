"""An endpoint: one handler, compiled at registration into everything that is needed to call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from daebus.core.context import Context
from daebus.core.slots import Slots
from daebus.declare.signatures import Signature
from daebus.telemetry.statistics import Statistics

from .injection import Injection
from .interceptors import NONE, Interceptors
from .workers import Workers

__all__ = ["Endpoint", "Incoming"]

R_co = TypeVar("R_co", covariant=True)


class Incoming(msgspec.Struct):
    """A message on its way to a handler.

    Attributes:
        context: The context of the message.
        body: Its payload as JSON; None if the transport has decoded it, or if there is none.
        part: Another object that the transport passes by type: the WebSocket client, or the thread's switch.
        keywords: Arguments that the transport has decoded itself.
    """

    context: Context
    body: bytes | msgspec.Raw | None = None
    part: object = None
    keywords: Mapping[str, object] = {}

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the message, by their names in lower case."""
        return self.context.headers


Take = Callable[[Incoming], object]


class Endpoint(msgspec.Struct, Generic[R_co], frozen=True):
    """A compiled handler.

    Attributes:
        title: Its title in logs: ``action get_user``.
        signature: The signature of the handler.
        take: Takes the parameters left of the ``*`` from a message, in order.
        injection: The services right of the ``*``.
        call: Calls the handler with its services; the type of the result depends on the kind of handler.
        call_directly: Like `call`, but returns None without a call if a per-message object may have to be opened first;
            then use ``injection.opened()``.
        encode: Encodes the handler's result as the reply.
        workers: The thread pool for a ``def`` handler.
        timeout: Seconds that one run of the handler may take; None: no limit.
        interceptors: The interceptors of its messages.
        statistics: How many messages it got in this process, and how they ended.
        kind: Its kind, such as ``action`` or ``route``; empty: it is none of the user's.
        name: Its name without the kind: of a listener, its own and not that of its channel.
        status: The HTTP status of its successes, unless it returns a response with another one; 0: it is no route.
    """

    title: str
    signature: Signature
    take: Callable[[Incoming], Sequence[object]]
    injection: Injection
    call: Callable[..., Any]
    call_directly: Callable[..., Any]
    encode: Callable[[object], R_co]
    workers: Workers
    timeout: float | None = None
    interceptors: Interceptors = NONE
    statistics: Statistics = msgspec.field(default_factory=Statistics)
    kind: str = ""
    name: str = ""
    status: int = 0

    @property
    def slots(self) -> Slots | None:
        """The threads for a ``def`` handler; None: it runs in the event loop, or in a thread of its own."""
        return None if self.signature.is_async else self.workers.slots
