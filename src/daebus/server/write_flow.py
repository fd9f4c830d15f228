"""Flow control of sending to a WebSocket client: senders wait while the client does not read."""

from __future__ import annotations

import asyncio

__all__ = ["WriteFlow"]


class WriteFlow:
    """The senders that wait until a client has read the sent data.

    Args:
        loop: The event loop.

    Attributes:
        is_full: Whether the client does not read the sent data.
        taken: A completed future, for sending without waiting.
    """

    __slots__ = ("_loop", "_waiting", "is_full", "taken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[asyncio.Future[None]] = []
        self.is_full: bool = False
        self.taken: asyncio.Future[None] = loop.create_future()
        self.taken.set_result(None)

    def wait(self) -> asyncio.Future[None]:
        """A future that is done when the client has read most of the sent data; it fails if the client disconnects."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(future)
        return future

    def resume(self) -> None:
        """Wake all waiting senders, as the client reads again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def fail(self) -> None:
        """Fail for all waiting senders, as the client has disconnected."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionResetError("The client has gone"))
                future.exception()  # even if no sender waits any more
        self._waiting.clear()
