"""What goes out to one WebSocket client: in order, bounded, and never in the way of the other clients."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from .handshake import Handshake

__all__ = ["MAX_MESSAGES", "MAX_SIZE", "TURN", "Outbox"]

MAX_MESSAGES = 10_000
"""Messages that wait for a client at most. Other replicas may send thousands in one read of the pub/sub connection."""

MAX_SIZE = 8_388_608
"""Characters that wait for a client at most, where more than one message waits."""

TURN = 16
"""Messages after which the other clients get their turn. Neither sending nor receiving needs to wait for anything."""


class Outbox:
    """The messages on their way to one client. It opens when the client is accepted; until then they wait.

    Args:
        handshake: Sends; it takes as long as the client lets it.
        overflow: Called when a message finds no room, because the client reads too slowly; the message is dropped.
    """

    def __init__(self, handshake: Handshake, overflow: Callable[[], None]) -> None:
        self._handshake = handshake
        self._overflow = overflow
        self._waiting: deque[tuple[str, asyncio.Future[None] | None]] = deque()
        self._size = 0
        self._open = False
        self._closed = False
        self._sender: asyncio.Task[None] | None = None
        self._here: asyncio.Task[object] | None = None
        self._busy_since: float | None = None
        self._handed_over = 0

    def open(self) -> None:
        """Let messages out from now on."""
        self._open = True
        self._go_on()

    def post(self, text: str) -> None:
        """Send a message without waiting for it."""
        if self._closed:
            return
        if self._waiting and (len(self._waiting) >= MAX_MESSAGES or self._size + len(text) > MAX_SIZE):
            self._overflow()
            return
        self._enqueue(text, None)

    async def deliver(self, text: str) -> None:
        """Send a message; returns when the server has it, or will never take it."""
        if self._closed:
            await asyncio.sleep(0)  # a handler that sends for ever must not keep the others from running
        elif self._busy_since is None and self._open:
            await self._send_here(text)
        else:
            sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._enqueue(text, sent)
            await sent

    async def drain(self) -> None:
        """Wait until nothing waits any more."""
        while self._sender is not None:
            await asyncio.wait({self._sender})

    def close(self) -> None:
        """Drop what waits, what is being sent and what comes later."""
        self._closed = True
        for sending in (self._sender, self._here):
            if sending is not None and sending is not asyncio.current_task():
                sending.cancel()
        while self._waiting:
            _, sent = self._waiting.popleft()
            _set_done(sent)

    def is_stuck(self, seconds: float) -> bool:
        """Whether the server has been trying to send one message for so long."""
        since = self._busy_since
        return since is not None and asyncio.get_running_loop().time() - since > seconds

    def _enqueue(self, text: str, sent: asyncio.Future[None] | None) -> None:
        self._waiting.append((text, sent))
        self._size += len(text)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting and self._open and self._busy_since is None and not self._closed:
            self._busy_since = asyncio.get_running_loop().time()
            self._sender = asyncio.create_task(self._send_waiting())

    async def _send_here(self, text: str) -> None:
        """Send from the task that has the message: quicker than by a task of ours, and most messages can."""
        here = self._here = asyncio.current_task()
        self._busy_since = asyncio.get_running_loop().time()
        try:
            await self._hand_over(text)
        except asyncio.CancelledError:
            if here is None or not self._closed:
                raise
            here.uncancel()  # by `close`, for the sake of what comes after the sending
        except Exception:
            self.close()
        finally:
            self._here = self._busy_since = None
            self._go_on()

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                text, sent = self._waiting.popleft()
                self._size -= len(text)
                self._busy_since = asyncio.get_running_loop().time()
                try:
                    await self._hand_over(text)
                finally:
                    _set_done(sent)
        except Exception:
            self.close()
        finally:
            self._sender = self._busy_since = None

    async def _hand_over(self, text: str) -> None:
        await self._handshake.send({"type": "websocket.send", "text": text})
        self._handed_over += 1
        if self._handed_over % TURN == 0:
            await asyncio.sleep(0)


def _set_done(sent: asyncio.Future[None] | None) -> None:
    if sent is not None and not sent.done():
        sent.set_result(None)
