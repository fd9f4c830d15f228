"""An endpoint: one handler, compiled at registration into all that a message needs to reach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from daebus.core.context import Context
from daebus.declare.signatures import Signature

from .calls import Injection
from .interceptors import NONE, Interceptors
from .workers import Workers

__all__ = ["Endpoint", "Incoming"]

R_co = TypeVar("R_co", covariant=True)


class Incoming(msgspec.Struct):
    """A message on its way to a handler.

    Attributes:
        context: What is known about it.
        body: Its payload, still JSON; None where the transport has decoded it, or there is none.
        part: What else the transport hands over by type: the WebSocket client, the thread's switch.
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
        title: What it is, for logs: ``action get_user``.
        signature: Of the handler.
        take: Takes the parameters left of the ``*`` from a message, in order.
        injection: The services right of the ``*``.
        call: Calls the handler, its services injected; what it returns is for the kind of handler to say.
        call_directly: As `call`, but it returns None, without calling, where something per message may have to be
            opened first: ask ``injection.opened()``.
        encode: Turns what the handler returns into the reply.
        workers: Where a ``def`` handler runs.
        timeout: Seconds that one run of the handler may take; None: as long as it takes.
        interceptors: What stands around its messages.
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
