"""Receiving a request and sending its response, with a limit for slow senders."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from daebus.core.errors import ServiceError

from .cancelling import is_cancelled
from .deadlines import NEVER, Deadlines

__all__ = ["DIRECT", "Exchange", "Headers", "body_length"]

Headers = Iterable[tuple[bytes, bytes]]

DIRECT = "daebus.direct"
"""The key in the scope of a WebSocket under which the server's own ``receive`` and ``send`` are found."""


class SlowBody(ServiceError):
    """The body of the request came too slowly."""

    code = "request_timeout"
    status = 408


class Server(Protocol):
    """The server, as far as it matters here."""

    @property
    def is_leaving(self) -> bool:
        """Whether each connection is to be closed with its next answer."""
        ...

    @property
    def bodies(self) -> Deadlines[Exchange]:
        """Those that wait for a part of the body."""
        ...


class Exchange:
    """Granian's side of a request, let go of when that is over.

    One of Granian's threads lives as long as any of them does, and tracebacks are kept, by cycles, logs and pytest.

    That a body has ended Granian says in a message of its own, another wake-up of the event loop: of a small POST, a
    third of all that it costs. Where the request says how long its body is, that message is not waited for.

    Args:
        server: Whose request it is.
        scope: ASGI's.
        receive: ASGI's; Granian's gives futures.
        send: ASGI's.
        body_timeout: Seconds in which all of the body must have come; None: there is no body.

    Attributes:
        deadline: When all of the body must have come, in seconds of `time.monotonic`; `NEVER`: nobody has asked for it.
    """

    __slots__ = (
        "_body_timeout",
        "_end",
        "_end_is_due",
        "_is_late",
        "_left",
        "_receive",
        "_scope",
        "_send",
        "_server",
        "_waiting",
        "deadline",
    )

    def __init__(
        self,
        server: Server,
        scope: Mapping[str, Any],
        receive: Callable[[], asyncio.Future[Any]],
        send: Callable[[Any], Awaitable[None]],
        body_timeout: float | None,
    ) -> None:
        self._server = server
        self._scope: Mapping[str, Any] = scope
        self._receive: Callable[[], asyncio.Future[Any]] = receive
        self._send: Callable[[Any], Awaitable[None]] = send
        self._body_timeout = body_timeout
        self._waiting: asyncio.Future[Any] | None = None
        self._is_late = False
        self._left: int | None = None  # of the body, in bytes
        self._end_is_due = False  # whether Granian tells of the body's end in a message of its own
        self._end: asyncio.Task[Any] | None = None
        self.deadline: float = NEVER

    def receive(self) -> Awaitable[Any]:
        """As ASGI's. Raises `SlowBody`."""
        if self._body_timeout is not None:
            return self._receive_body(self._body_timeout)
        return self._receive_next() if self._end_is_due else self._receive()

    async def _receive_body(self, seconds: float) -> Any:
        if self.deadline == NEVER:
            self.deadline = time.monotonic() + seconds
            if self._scope["http_version"].startswith("1"):  # in HTTP/2 more may come, and is then refused
                self._left = body_length(self._scope["headers"])
        self._waiting, self._is_late = self._receive(), False
        self._server.bodies.add(self)
        try:
            message = await self._waiting
        except asyncio.CancelledError:
            if self._is_late and not is_cancelled():
                raise SlowBody(f"The body of the request did not come within {seconds:g} s") from None
            raise
        finally:
            self._waiting = None
            self._server.bodies.discard(self)
        if self._left is not None and message.get("more_body"):
            self._left -= len(message["body"])
            if self._left == 0:
                message["more_body"], self._end_is_due = False, True
        if not message.get("more_body"):
            self._body_timeout = None  # what comes now is the end of the connection, which may take its time
        return message

    async def _receive_next(self) -> Any:
        """What comes after the end of the body, of which Granian has yet to tell."""
        # Whoever gives up waiting must not take the end along: Granian would take the client for gone. And of several
        # who wait for its own future, only the last is told.
        if self._end is None:
            self._end = asyncio.create_task(self._receive_end())
        message = await asyncio.shield(self._end)
        return await self._receive() if message["type"] == "http.request" else message

    async def _receive_end(self) -> Any:
        return await self._receive()

    def expire(self) -> None:
        """The body comes too late: nobody is to wait for it any longer."""
        if self._waiting is not None:
            self._is_late = True
            self._waiting.cancel()

    def send(self, message: Any) -> Awaitable[None]:
        """As ASGI's."""
        if self._server.is_leaving and message.get("type") == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        return self._send(message)

    def close(self) -> None:
        """The request is over: let go of the server."""
        self._receive = self._send = _over
        if self._end is not None:
            self._end.cancel()


def body_length(headers: Headers) -> int | None:
    """What a request says of its body's length, in bytes; None where it does not."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None


def _over(*_: object) -> asyncio.Future[Any]:
    raise RuntimeError("The request is over: nothing can be received or sent any more")
