"""Receiving a request and sending its response, with a limit for slow senders."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Protocol

import msgspec

from daebus.core.budgets import Budget
from daebus.core.cancelling import is_cancelled
from daebus.core.deadlines import NEVER, Deadlines

from .draining import BODY_PASSED_ON, BODY_RECEIVED, body_length, drain, has_unread_body, may_have_body
from .limits import ServerLimits
from .own_sockets import Address, address_of
from .refusals import SlowBody

__all__ = ["Exchange"]

_GONE: Mapping[str, Any] = {"type": "http.disconnect"}
_NO_BODY: Mapping[str, Any] = {"type": "http.request", "body": b"", "more_body": False}

_BODILESS = ("GET", "HEAD")  # looked at first, as most requests are of these methods

_LARGE = 131_072
"""Bytes of an answer that are passed to Granian at once; it buffers a few of these parts."""

_MOST_CREDIT = 2.0
"""Seconds without body data after which a client that has kept the minimum rate until then counts as idle."""


class Server(Protocol):
    """The used part of the server."""

    @property
    def is_leaving(self) -> bool:
        """Whether each connection must be closed with its next answer."""
        ...

    @property
    def is_cutting(self) -> bool:
        """Whether the requests in flight are cut off."""
        ...

    @property
    def budget(self) -> Budget:
        """The memory budget for data of clients."""
        ...

    @property
    def limits(self) -> ServerLimits:
        """The limits for clients."""
        ...

    def cut(self, exchange: Exchange, reason: str) -> None:
        """End the connection of a client."""
        ...

    @property
    def bodies(self) -> Deadlines[Exchange, Exchange]:
        """The exchanges that wait for a part of the body."""
        ...


class Exchange(msgspec.Struct, eq=False):
    """Granian's side of a request; its references are dropped when the request is over.

    A thread of Granian lives as long as any of these objects, and tracebacks are kept alive by cycles, logs and pytest.

    Granian reports the end of a body in a separate message, which wakes the event loop again: a third of the cost of a
    small POST. If the request declares the length of its body, this message is not awaited.

    Args:
        server: The server of the request.
        scope: The ASGI scope.
        receive: The ASGI callable; Granian's returns futures.
        send: The ASGI callable.
        body_timeout: Seconds within which the whole body must arrive; None: there is no body.
        client: The client of the request, as in the ASGI scope.

    Attributes:
        waits_since: Since when the server waits for the client, in seconds of `time.monotonic`; None: it does not wait.
            While the client sends a body at the minimum rate, this is the current time or slightly later.
        deadline: When the whole body must have arrived, in seconds of `time.monotonic`; `NEVER`: it was not requested
            yet.
        is_cut: Whether the client was disconnected, because it reads too slowly or uses too much memory, or has left.
        has_begun: Whether its answer has begun.
    """

    _server: Server
    _scope: MutableMapping[str, Any]
    _receive: Callable[[], asyncio.Future[Any]]
    _send: Callable[[Any], Awaitable[None]]
    _body_timeout: float | None
    _client: object  # as of the start of the request: middleware may replace it by the value of a header
    _waiting: asyncio.Future[Any] | None = None
    _is_late: bool = False
    _left: int | None = None  # of the body, in bytes
    _end: asyncio.Task[Any] | None = None
    _held: int = 0  # bytes of the body
    _paid_until: float = 0.0  # when a client at the minimum rate would have sent as much
    _kept: Mapping[str, Any] | None = None  # received, and not yet asked for by the app
    is_cut: bool = False
    has_begun: bool = False
    waits_since: float | None = None
    deadline: float = NEVER

    @property
    def client(self) -> Address | None:
        """The client of the request."""
        return address_of(self._client)

    def receive(self) -> Awaitable[Any]:
        """As ASGI's; at the end of the body it sets `BODY_RECEIVED` in the scope. Raises `SlowBody`."""
        if self._body_timeout is not None:
            return self._receive_body(self._body_timeout)
        return self._receive_next() if self._scope["type"] == "http" else self._receive()

    async def _receive_body(self, seconds: float) -> Any:
        if self.deadline == NEVER:
            self.waits_since = self._paid_until = time.monotonic()
            self.deadline = self.waits_since + seconds
            if self._scope["http_version"].startswith("1"):  # in HTTP/2 more data may follow, and is then refused
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
                message["more_body"] = False
        if self._held or self.is_cut or message.get("more_body"):
            return self._account(message)
        self._end_body()  # the next event is the end of the connection, at any time
        return message

    def _account(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Account for a part of the body, until it ends."""
        if self.is_cut:  # data received earlier by the system is still there
            message = _GONE
        if message.get("more_body"):
            size = len(message["body"])
            self._held = size if self._scope.get(BODY_PASSED_ON) else self._held + size
            self._server.budget.hold(self, self._held)
            self._give_credit(size)
            return message
        self._end_body()
        if self._held:
            self._server.budget.release(self)
        return message

    def _end_body(self) -> None:
        self._body_timeout = self.waits_since = None
        self._scope[BODY_RECEIVED] = True

    def _give_credit(self, size: int) -> None:
        """Count received body data: a client that has kept the minimum rate for some time may pause."""
        if self.waits_since is None or self._body_timeout is None:
            return
        now, begun = time.monotonic(), self.deadline - self._body_timeout
        self._paid_until = min(now, self._paid_until + size / self._server.limits.min_rate)
        self.waits_since = self._paid_until + min(_MOST_CREDIT, now - begun)

    async def _receive_next(self) -> Any:
        """The event after the end of the body: that the client has gone."""
        kept, self._kept = self._kept, None
        if kept is not None:
            return kept
        # A cancelled waiter must not cancel the future: Granian would treat the client as disconnected. And of several
        # waiters of Granian's own future, only the last is woken.
        self._end = self._end or asyncio.create_task(self._receive_end())
        return await asyncio.shield(self._end)

    async def _receive_end(self) -> Any:
        message = await self._receive()
        return await self._receive() if message["type"] == "http.request" else message

    def listen(self, gone: Callable[[], object]) -> bool:
        """Listen whether the client leaves; returns False if that is not possible yet, because it sends a body.

        Args:
            gone: Called if it leaves before its answer begins; it counts as disconnected then.
        """
        if self._body_timeout is not None:  # the end of a body was not received
            if self.deadline != NEVER or may_have_body(self._scope):
                return False
            self._kept = {**_NO_BODY}
            self._end_body()
        self._end = self._end or asyncio.create_task(self._receive_end())
        self._end.add_done_callback(partial(self._lost, gone))
        return True

    def _lost(self, gone: Callable[[], object], end: asyncio.Task[Any]) -> None:
        if not (end.cancelled() or end.exception() or self.has_begun or self.is_cut):
            self.is_cut = True
            gone()

    def expire(self) -> None:
        """The body is too late: stop waiting for it."""
        if self._waiting is not None:
            self._is_late = True
            self._waiting.cancel()

    def send(self, message: Any) -> Awaitable[None]:
        """As ASGI's. The end of an answer waits for the rest of the request's body, for a limited time.

        Raises:
            asyncio.CancelledError: The client was disconnected before the end of the body: the sender must stop and
            must not treat the body as sent.
        """
        body = message.get("body")
        if body is not None:
            may_drain = self._body_timeout is not None and self._scope["method"] not in _BODILESS
            if may_drain and not message.get("more_body") and self._is_to_drain():
                return self._drain_and_send(message)
            if len(body) > _LARGE or self.is_cut:
                return self._send_large(body, more=message.get("more_body", False))
        else:
            self.has_begun = True
            if self._server.is_leaving and message.get("type") == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        return self._send(message)

    def _is_to_drain(self) -> bool:
        if self.is_cut or self._waiting is not None or self._server.is_cutting:
            return False
        return has_unread_body(self._scope, is_begun=self.deadline != NEVER)

    async def _drain_and_send(self, message: Any) -> None:
        try:
            with contextlib.suppress(SlowBody):
                await drain(self._scope, self.receive)
        finally:
            self._body_timeout = None
            await self.send(message)

    async def _send_large(self, body: bytes, *, more: bool) -> None:
        """Send a body in parts, to see how much the client has read."""
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
        """Free the memory, because other clients need it."""
        self._cut("other clients needed its memory")
        if self._waiting is not None:  # Granian will report it, too, but not at once
            self._waiting.cancel()

    def _cut(self, reason: str) -> None:
        self.is_cut = True
        self._server.cut(self, reason)

    def close(self) -> None:
        """The request is over: drop the references to the server."""
        if self._held:
            self._server.budget.release(self)
        self._receive = self._send = _over
        if self._end is not None:
            self._end.cancel()


def _over(*_: object) -> asyncio.Future[Any]:
    raise RuntimeError("The request is over: nothing can be received or sent any more")
