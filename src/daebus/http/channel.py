"""ASGI's ``receive`` and ``send`` of a response whose end is held back until the message has succeeded."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any, cast

from litestar.types import HTTPScope, Receive, Send

from daebus.server.draining import Headers

__all__ = ["Channel"]

_GONE = {"type": "http.disconnect"}
_WHOLE = "http.response.pathsend"
"""An ASGI extension: the server sends a whole file."""

_PAUSE_SECONDS = 0.005

_WITHOUT_BODY = (204, 304)  # statuses of responses
_BODY_HEADERS = (b"content-length", b"transfer-encoding")  # of requests
_ANSWER_SECONDS = 1.0
"""Limit for the server to report an empty request body; it does so at once, but in another thread."""

_TURNS = 8
"""Turns of the event loop until an event of the server is seen here."""


class Channel:
    """The ``receive`` and ``send`` for the app of a response.

    The last message of the body waits for `finish`. So does the part that completes a body of known length, as the
    client would take it for the end. For the app it counts as sent: the app then receives the end of the exchange, as
    from a server.

    Args:
        scope: ASGI's.
        receive: ASGI's.
        send: ASGI's.

    Attributes:
        has_begun: Whether the head of the response was sent.
        is_event_stream: Whether it is a stream of server-sent events.
    """

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._last: Mapping[str, Any] | None = None
        self._left: float = math.inf  # remaining bytes of the body
        self._is_lost = False  # whether the app knows that the client has disconnected
        self._may_lose_client = False  # else the exchange is over with the head
        self._kept = b""
        self._paused = time.monotonic()
        self._ended = asyncio.get_running_loop().create_future()
        self._receiving: asyncio.Task[Any] | None = None
        self._received: Any = None  # received, but not yet requested by the app
        self.has_begun: bool = False
        self.is_event_stream: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether the app has sent the whole body."""
        return self._last is not None

    async def send(self, message: Any) -> None:
        """As ASGI's."""
        kind = message["type"]
        if kind == "http.response.start":
            self._begin(message.get("headers", ()))
            await self._send(message)
            self._may_lose_client = self._scope["method"] != "HEAD" and message["status"] not in _WITHOUT_BODY
            if self._may_lose_client and self._receiving is None:
                await self._listen()
            return
        if kind == _WHOLE:
            self._end(message)
            return
        if kind == "http.response.body":
            body: bytes = message.get("body", b"")
            self._left -= len(body)
            if not message.get("more_body", False):
                self._end({**message, "body": self._kept + body})
                return
            if self._left <= 0:
                self._kept += body
                return
        await self._send(message)
        if time.monotonic() - self._paused > _PAUSE_SECONDS:
            # The server accepts data for a disconnected client at once. Without a pause no task could notice that,
            # or do any other work.
            await asyncio.sleep(0)
            self._paused = time.monotonic()

    def _begin(self, headers: Headers) -> None:
        self.has_begun = True
        for name, value in headers:
            match name.lower():
                case b"content-type":
                    self.is_event_stream = value.startswith(b"text/event-stream")
                case b"content-length":
                    self._left = int(value)
                case _:
                    pass

    def _end(self, last: Mapping[str, Any]) -> None:
        self._last = last
        if not self._ended.done():
            self._ended.set_result(None)

    async def _listen(self) -> None:
        """Ask the server early for a disconnect: a body that never awaits leaves no later chance to ask."""
        self._receiving = asyncio.create_task(self._receive_next())
        has_body = any(name in _BODY_HEADERS for name, _ in self._scope["headers"])
        await asyncio.wait({self._receiving}, timeout=0 if has_body else _ANSWER_SECONDS)
        if self._receiving.done() and self._receiving.exception() is None:
            self._received = self._receiving.result()
            self._receiving = asyncio.create_task(self._receive_next())
            await asyncio.sleep(0)

    async def receive(self) -> Any:
        """As ASGI's."""
        if self._received is not None:
            received, self._received = self._received, None
            return received
        if self._receiving is None:
            # It must not be cancelled, as the event of the server would be lost.
            self._receiving = asyncio.create_task(self._receive_next())
        receiving = self._receiving
        await asyncio.wait({receiving, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            return _GONE
        self._receiving = None
        self._is_lost = receiving.result()["type"] == _GONE["type"]
        return receiving.result()

    async def _receive_next(self) -> Any:
        return await self._receive()

    async def has_lost_client(self) -> bool:
        """Whether the server knows of a disconnect, even if a body that never awaits has blocked the event loop."""
        if not self._may_lose_client or self._is_lost:
            return self._is_lost
        for _ in range(_TURNS):
            if self._receiving is None:
                self._receiving = asyncio.create_task(self._receive_next())
            await asyncio.sleep(0)
            if self._receiving.done():
                if self._receiving.exception() is None and self._receiving.result()["type"] == _GONE["type"]:
                    return True
                self._receiving = None  # a part of the request's body that the handler has not requested
        return False

    async def finish(self, *, cleanly: bool = False) -> None:
        """Send the end of the body.

        Args:
            cleanly: Whether an incomplete body is also ended.
        """
        last = self._last
        if last is None and cleanly:
            last = {"type": "http.response.body", "body": b"", "more_body": False}
        if last is not None:
            await self._send(cast("Any", last))

    async def close(self) -> None:
        """Stop receiving."""
        receiving = self._receiving
        if receiving is not None:
            receiving.cancel()
            await asyncio.wait({receiving})
            if not receiving.cancelled():
                receiving.exception()  # asyncio logs exceptions that are never retrieved
