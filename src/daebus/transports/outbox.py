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

    Attributes:
        owner: The task that may call `deliver`.
    """

    def __init__(self, handshake: Handshake, overflow: Callable[[], None]) -> None:
        self.owner: asyncio.Task[None] | None = None
        self._handshake = handshake
        self._overflow = overflow
        self._waiting: deque[tuple[str, asyncio.Future[None] | None]] = deque()
        self._size = 0
        self._open = False
        self._closed = False
        self._free = False  # open, and nothing is being sent
        self._sender: asyncio.Task[None] | None = None
        self._direct = False  # whether the owner is sending
        self._handed_over = 0
        self._sent_then = -1
        self._then = 0.0

    def open(self) -> None:
        """Let messages out from now on."""
        self._open = self._free = True
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
        if self._free:
            # From this task: quicker than by one of ours, and most messages can.
            self._free, self._direct = False, True
            try:
                await self._handshake.send({"type": "websocket.send", "text": text})
            except asyncio.CancelledError:
                if self.owner is None or not self._closed:
                    raise
                self.owner.uncancel()  # by `close`, for the sake of what comes after the sending
            except Exception:
                self.close()
            finally:
                self._free, self._direct = not self._closed, False
                if self._waiting:
                    self._go_on()
            self._handed_over += 1
            if self._handed_over % TURN == 0:
                await asyncio.sleep(0)
        elif self._closed:
            await asyncio.sleep(0)  # a handler that sends for ever must not keep the others from running
        else:
            sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._enqueue(text, sent)
            await sent

    async def drain(self) -> None:
        """Wait until nothing waits any more."""
        while self._sender is not None and not self._sender.done():
            await asyncio.wait({self._sender})

    def close(self) -> None:
        """Drop what waits, what is being sent and what comes later."""
        self._closed, self._free = True, False
        for sending in (self._sender, self.owner if self._direct else None):
            if sending is not None and sending is not asyncio.current_task():
                sending.cancel()
        while self._waiting:
            _, sent = self._waiting.popleft()
            _set_done(sent)

    def is_stuck(self, seconds: float) -> bool:
        """Whether the server has been trying to send one message for so long. To be asked now and then."""
        if self._free or self._closed or not self._open:
            self._sent_then = -1
            return False
        now = asyncio.get_running_loop().time()
        if self._sent_then != self._handed_over:
            self._sent_then, self._then = self._handed_over, now
        return now - self._then > seconds

    def _enqueue(self, text: str, sent: asyncio.Future[None] | None) -> None:
        self._waiting.append((text, sent))
        self._size += len(text)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting and self._free:
            self._free = False
            self._sender = asyncio.create_task(self._send_waiting())

    async def _send_waiting(self) -> None:
        try:
            while self._waiting:
                text, sent = self._waiting.popleft()
                self._size -= len(text)
                try:
                    await self._handshake.send({"type": "websocket.send", "text": text})
                finally:
                    _set_done(sent)
                self._handed_over += 1
                if self._handed_over % TURN == 0:
                    await asyncio.sleep(0)
        except Exception:
            self.close()
        finally:
            self._sender = None
            self._free = not self._closed


def _set_done(sent: asyncio.Future[None] | None) -> None:
    if sent is not None and not sent.done():
        sent.set_result(None)
