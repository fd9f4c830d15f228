"""ASGI's ``receive`` and ``send`` of a response whose end is held back until the message has succeeded."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any, cast

from litestar.types import Receive, Send

from daebus.server.exchange import Headers

__all__ = ["Channel"]

_GONE = {"type": "http.disconnect"}
_WHOLE = "http.response.pathsend"
"""An extension of ASGI: the server is to send a whole file."""

_PAUSE_SECONDS = 0.005


class Channel:
    """What the app of a response is given to receive and send with.

    The last message of the body waits for `finish`, and so does what completes a body of known length: its client would
    take it for the end. To the app it counts as sent, so that it is told, as by a server, that the exchange is over.

    Args:
        receive: ASGI's.
        send: ASGI's.

    Attributes:
        has_begun: Whether the head of the response was sent.
        is_event_stream: Whether it is a stream of server-sent events.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._last: Mapping[str, Any] | None = None
        self._left: float = math.inf  # of the body, in bytes
        self._kept = b""
        self._paused = time.monotonic()
        self._ended = asyncio.get_running_loop().create_future()
        self._receiving: asyncio.Task[Any] | None = None
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
        elif kind == _WHOLE:
            self._end(message)
            return
        elif kind == "http.response.body":
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
            # The server takes at once what is for a client that is gone. Without a pause nobody could hear of that,
            # nor do anything else.
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

    async def receive(self) -> Any:
        """As ASGI's."""
        if self._receiving is None:
            # Not to be cancelled: what the server then says would be lost.
            self._receiving = asyncio.create_task(self._receive_next())
        receiving = self._receiving
        await asyncio.wait({receiving, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            return _GONE
        self._receiving = None
        return receiving.result()

    async def _receive_next(self) -> Any:
        return await self._receive()

    async def finish(self, *, cleanly: bool = False) -> None:
        """Send the end of the body.

        Args:
            cleanly: Whether a body that has not come to its end is ended, too.
        """
        last = self._last
        if last is None and cleanly:
            last = {"type": "http.response.body", "body": b"", "more_body": False}
        if last is not None:
            await self._send(cast("Any", last))

    async def close(self) -> None:
        """Receive no more."""
        receiving = self._receiving
        if receiving is not None:
            receiving.cancel()
            await asyncio.wait({receiving})
            if not receiving.cancelled():
                receiving.exception()  # asyncio complains of one that nobody has looked at
