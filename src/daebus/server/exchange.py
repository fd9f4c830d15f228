"""Receiving a request and sending its response, with a limit for slow senders."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from daebus.core.budgets import Budget
from daebus.core.cancelling import is_cancelled
from daebus.core.deadlines import NEVER, Deadlines
from daebus.errors import ServiceError

from .limits import ServerLimits
from .own_sockets import Address, address_of

__all__ = ["Exchange", "Headers", "body_length"]

Headers = Iterable[tuple[bytes, bytes]]

_GONE: Mapping[str, Any] = {"type": "http.disconnect"}

_LARGE = 131_072
"""Bytes of an answer that are given to Granian at once; it keeps a few of these parts."""


_MOST_CREDIT = 2.0
"""Seconds without a part of the body after which a client that has sent at the least rate until then counts as idle."""


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
    def budget(self) -> Budget:
        """Where what clients make us hold is accounted for."""
        ...

    @property
    def limits(self) -> ServerLimits:
        """What clients may do."""
        ...

    def cut(self, exchange: Exchange, reason: str) -> None:
        """End the connection of a client."""
        ...

    @property
    def bodies(self) -> Deadlines[Exchange, Exchange]:
        """Those that wait for a part of the body."""
        ...


class Exchange(msgspec.Struct, eq=False):
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
        client: Whose request it is, as ASGI has it.

    Attributes:
        waits_since: Since when the client is waited for, in seconds of `time.monotonic`; None: it is not. While it
            sends a body at the least rate, it is now, or a little later.
        deadline: When all of the body must have come, in seconds of `time.monotonic`; `NEVER`: nobody has asked for it.
        is_cut: Whether the client was disconnected, as it takes too little or makes us hold too much.
    """

    _server: Server
    _scope: Mapping[str, Any]
    _receive: Callable[[], asyncio.Future[Any]]
    _send: Callable[[Any], Awaitable[None]]
    _body_timeout: float | None
    _client: object  # as it was when the request came: middleware may believe a header, and write it there
    _waiting: asyncio.Future[Any] | None = None
    _is_late: bool = False
    _left: int | None = None  # of the body, in bytes
    _end_is_due: bool = False  # whether Granian tells of the body's end in a message of its own
    _end: asyncio.Task[Any] | None = None
    _held: int = 0  # bytes of the body
    _paid_until: float = 0.0  # when it would have sent at the least rate what it has sent of the body
    is_cut: bool = False
    waits_since: float | None = None
    deadline: float = NEVER

    @property
    def client(self) -> Address | None:
        """Whose request it is."""
        return address_of(self._client)

    def receive(self) -> Awaitable[Any]:
        """As ASGI's. Raises `SlowBody`."""
        if self._body_timeout is not None:
            return self._receive_body(self._body_timeout)
        return self._receive_next() if self._end_is_due else self._receive()

    async def _receive_body(self, seconds: float) -> Any:
        if self.deadline == NEVER:
            self.waits_since = self._paid_until = time.monotonic()
            self.deadline = self.waits_since + seconds
            if self._scope["http_version"].startswith("1"):  # in HTTP/2 more may come, and is then refused
                self._left = body_length(self._scope["headers"])
        self._waiting, self._is_late = self._receive(), False
        self._server.bodies.add(self, self)
        try:
            message = await self._waiting
        except asyncio.CancelledError:
            if self._is_late and not is_cancelled():
                raise SlowBody(f"The body of the request did not come within {seconds:g} s") from None
            if not self.is_cut or is_cancelled():
                raise
            message = {**_GONE}
        finally:
            self._waiting = None
            self._server.bodies.pop(self, None)
        if self._left is not None and message.get("more_body"):
            self._left -= len(message["body"])
            if self._left == 0:
                message["more_body"], self._end_is_due = False, True
        if self._held or self.is_cut or message.get("more_body"):
            return self._account(message)
        self._body_timeout = self.waits_since = None  # what comes now is the end of the connection, at any time
        return message

    def _account(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Account for a part of the body, until it ends."""
        if self.is_cut:  # what the system has received before is still there
            message = _GONE
        if message.get("more_body"):
            self._held += len(message["body"])
            self._server.budget.hold(self, self._held)
            self._give_credit(len(message["body"]))
            return message
        self._body_timeout = self.waits_since = None
        if self._held:
            self._server.budget.release(self)
        return message

    def _give_credit(self, size: int) -> None:
        """Some of the body has come: to whoever has sent at the least rate for some time, a pause is allowed."""
        if self.waits_since is None or self._body_timeout is None:
            return
        now, begun = time.monotonic(), self.deadline - self._body_timeout
        self._paid_until = min(now, self._paid_until + size / self._server.limits.min_rate)
        self.waits_since = self._paid_until + min(_MOST_CREDIT, now - begun)

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
        """As ASGI's.

        Raises:
            asyncio.CancelledError: The client was disconnected, and more of the body is to follow: whoever makes it is
                to stop, and must not take it for sent.
        """
        body = message.get("body")
        if body is not None:
            if len(body) > _LARGE or self.is_cut:
                return self._send_large(body, more=message.get("more_body", False))
        elif self._server.is_leaving and message.get("type") == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        return self._send(message)

    async def _send_large(self, body: bytes, *, more: bool) -> None:
        """Send a body in parts, so that it is known how much the client has taken."""
        view, server = memoryview(body), self._server
        server.budget.hold(self, len(body))
        try:
            for start in range(0, len(body), _LARGE):
                if self.is_cut:
                    break
                part = bytes(view[start : start + _LARGE])
                self.waits_since = time.monotonic()
                sending = self._send({"type": "http.response.body", "body": part, "more_body": True})
                self._waiting = sending = asyncio.ensure_future(sending)
                async with asyncio.timeout(server.limits.write_timeout):
                    await sending
            if not more and not self.is_cut:
                await self._send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            rate = server.limits.min_rate
            self._cut(f"it reads too slowly: less than HttpLimits(min_rate={rate}) bytes per second")
        except asyncio.CancelledError:
            if not self.is_cut or is_cancelled():
                raise
        finally:
            self._waiting = self.waits_since = None
            server.budget.release(self)
        if more and self.is_cut:
            raise asyncio.CancelledError("the client was disconnected")

    def evict(self) -> None:
        """Give up the memory: others need it."""
        self._cut("it held the memory that others needed")
        if self._waiting is not None:  # Granian will tell, too, but not at once
            self._waiting.cancel()

    def _cut(self, reason: str) -> None:
        self.is_cut = True
        self._server.cut(self, reason)

    def close(self) -> None:
        """The request is over: let go of the server."""
        if self._held:
            self._server.budget.release(self)
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
