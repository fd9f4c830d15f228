"""The connection of one WebSocket client after the handshake, with ASGI's ``receive`` and ``send``."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from typing_extensions import override

from daebus.core.budgets import Budget

from .frames import BINARY, CLOSE, PING, PONG, TEXT, BrokenFrame, Frame, FrameReader, close_code, close_frame, frame
from .write_flow import WriteFlow

__all__ = ["SocketConnection"]

Message = Mapping[str, object]

_HIGH_WATER = 65_536  # bytes that wait here, in either direction, before the other side is paused
_MOST_WAITING = 64  # messages that wait here before the client is paused
_SMALL = 4096  # bytes that are not counted
_GONE, _POLICY, _TRY_LATER = 1006, 1008, 1013


class SocketConnection(asyncio.Protocol):
    """One client's connection. Its buffered data is limited: the client is paused or disconnected.

    Args:
        connection: Its socket, which is closed at the end.
        largest: The largest message in bytes that is received; for a larger one the client is disconnected with 1009.
        budget: The memory budget for its buffered data.
        when_lost: Called when the socket is closed.

    Attributes:
        ended: Done when nothing more is received.
        why: Why the server ended it; None: the server did not.
        silence: How many checks have passed since the last data from the client.
    """

    def __init__(self, connection: socket.socket, largest: int, budget: Budget, when_lost: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connection
        self._frames = FrameReader(largest)
        self._budget = budget
        self._when_lost = when_lost
        self._is_lost = self._accounted = self._is_over = False
        self._inbox, self._inbox_size = deque[tuple[Message, int]](), 0
        self._receiving: asyncio.Future[Message] | None = None
        self._is_paused = False
        self._flow = WriteFlow(self._loop)
        self._is_closing = False  # whether our close frame was sent
        self._disconnected: Message | None = None
        self._pong: bytes | None = None  # waits until the client has read the sent data
        self._begun = self._seen = self._unsent = 0
        self.silence: int = 0
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.why: str | None = None

    # ASGI.

    def receive(self) -> asyncio.Future[Message]:
        """The next message, or the disconnect of the client."""
        future: asyncio.Future[Message] = self._loop.create_future()
        if self._inbox:
            message, size = self._inbox.popleft()
            self._inbox_size -= size
            future.set_result(message)
            if self._is_paused and not self._inbox:
                self._resume()
        elif self._disconnected is not None:
            future.set_result(self._disconnected)
        else:
            self._receiving = future
        return future

    def send(self, message: Message) -> asyncio.Future[None]:
        """Send a message, or close the connection. Done when the client has read most of the sent data.

        Raises:
            ConnectionError: The connection is over.
        """
        if message["type"] == "websocket.close":
            self.close(cast("int", message.get("code") or 1000), cast("str", message.get("reason") or ""))
            return self._when_taken()
        if self._is_closing or self._disconnected is not None:
            raise ConnectionResetError("The connection is over")
        text = message.get("text")
        if isinstance(text, str):
            self._transport.write(frame(TEXT, text.encode()))
        else:
            self._transport.write(frame(BINARY, cast("bytes", message.get("bytes") or b"")))
        return self._when_taken() if self._flow.is_full else self._flow.taken

    def _when_taken(self) -> asyncio.Future[None]:
        if not self._flow.is_full:
            return self._flow.taken
        self._account()
        return self._flow.wait()

    # The end.

    def close(self, code: int, reason: str) -> None:
        """Send a close frame."""
        if not self._is_closing and not self._transport.is_closing():
            self._is_closing = True
            self._transport.write(close_frame(code, reason))

    def dismiss(self, why: str) -> None:
        """End the connection, and tell the client to try again later."""
        self.why = why
        self._refuse(_TRY_LATER, "There are too many clients")

    def abort(self, why: str) -> None:
        """End the connection at once, without a close frame."""
        if self._disconnected is None:
            self.why = why
        self._end(_GONE)
        self._shut()

    def evict(self) -> None:
        """Free the memory, because other clients need it."""
        self._inbox.clear()
        self._frames.clear()
        self.abort("other clients needed its memory")

    async def finish(self, code: int, seconds: float) -> None:
        """Close the connection properly within this many seconds, as the application is done with it."""
        self.close(code, "")
        self._is_over, self._receiving, self._inbox_size = True, None, 0
        self._inbox.clear()
        if self._is_paused:  # the client's answer comes after its earlier data
            self._resume()
        try:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(seconds):
                    if not self._transport.is_closing():
                        self._transport.set_write_buffer_limits(high=0)  # wait for all data, not only for most of it
                        await self._when_taken()
                    await asyncio.shield(self.ended)
        finally:
            self._shut()

    def _shut(self) -> None:
        # Granian has a descriptor of the same connection: closing ours alone would not end it.
        with suppress(OSError):  # it is closed
            self._socket.shutdown(socket.SHUT_RDWR)
        self._transport.abort()

    def _end(self, code: int) -> None:
        """Mark the connection as ended: nothing more is received."""
        if self._disconnected is not None:
            return
        self._disconnected = {"type": "websocket.disconnect", "code": code, "reason": ""}
        if self._receiving is not None and not self._receiving.done():
            self._receiving.set_result(self._disconnected)
        self._receiving = None
        self._flow.fail()
        self.ended.set_result(None)

    # The event loop's protocol.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)

    @override
    def data_received(self, data: bytes) -> None:
        self.silence = 0
        if self._disconnected is not None:
            return
        try:
            self._take(self._frames.feed(data))
        except BrokenFrame as error:
            with suppress(BrokenFrame):
                self._take(error.before)
            self._refuse(error.code, error.reason)
            return
        if self._accounted or self._frames.held > _SMALL or self._inbox_size > _SMALL:
            self._account()

    def _take(self, frames: Sequence[Frame]) -> None:
        for opcode, payload in frames:
            if opcode < CLOSE:
                message = {"type": "websocket.receive", "text" if opcode == TEXT else "bytes": payload}
                if self._receiving is None or self._receiving.done():
                    self._keep(message, len(payload))
                else:
                    self._receiving.set_result(message)
                    self._receiving = None
            elif opcode == PING:
                self._pong = cast("bytes", payload)
                self._answer_ping()
            elif opcode == CLOSE:
                self._closed_by_client(cast("bytes", payload))
                return

    def _answer_ping(self) -> None:
        """Answer only the last of the pings that arrived while the client did not read."""
        if self._pong is not None and not self._is_closing and not self._flow.is_full:
            self._transport.write(frame(PONG, self._pong))
            self._pong = None

    @override
    def pause_writing(self) -> None:
        self._flow.is_full = True

    @override
    def resume_writing(self) -> None:
        self._flow.is_full, self.silence = False, 0
        self._answer_ping()
        self._flow.resume()
        self._account()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end(_GONE)
        self._is_lost = True
        self._flow.fail()
        self._budget.release(self)
        self._shut()
        self._when_lost()

    def tend(self, gone_after: int, unfinished_after: int) -> bool:
        """Find clients that are gone or never complete a message. Must be called at regular intervals.

        Args:
            gone_after: The number of calls without data after which a client is gone; after half of them it is pinged.
            unfinished_after: The number of calls after which a message must be complete.

        Returns:
            Whether the client was disconnected.
        """
        if self._disconnected is not None or self._is_paused or self._transport.is_closing():
            return False
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:  # the client reads the sent data
            self.silence = 0
        self._unsent = unsent
        self.silence += 1
        if self.silence == gone_after // 2 and not self._flow.is_full and not self._is_closing:
            self._transport.write(frame(PING, b""))
        elif self.silence >= gone_after:
            self.abort("it was silent for too long")
            return True
        halfway = self._frames.is_halfway and self._frames.messages == self._seen
        self._seen, self._begun = self._frames.messages, self._begun + 1 if halfway else 0
        if self._begun >= unfinished_after:
            self.why = "it did not finish a message"
            self._refuse(_POLICY, "The message took too long")
            return True
        return False

    def _keep(self, message: Message, size: int) -> None:
        if self._is_over:
            return
        self._inbox.append((message, size))
        self._inbox_size += size
        if not self._is_paused and (self._inbox_size > _HIGH_WATER or len(self._inbox) >= _MOST_WAITING):
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._is_paused, self.silence = False, 0
        self._account()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _closed_by_client(self, payload: bytes) -> None:
        code = close_code(payload)
        if not self._is_closing:
            self._is_closing = True
            self._transport.write(frame(CLOSE, payload[:2]))
        self._end(code)

    def _refuse(self, code: int, reason: str) -> None:
        """Disconnect a client that violates the protocol or a limit."""
        self.close(code, reason)
        self._end(code)
        self._budget.release(self)

    def _account(self) -> None:
        if self._is_lost:
            return
        held = self._frames.held + self._inbox_size
        if self._flow.is_full:
            held += self._transport.get_write_buffer_size()
        self._accounted = held > _SMALL
        self._budget.hold(self, held if self._accounted else 0)
