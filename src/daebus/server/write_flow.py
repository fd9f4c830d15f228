"""The flow control of what is sent to a WebSocket client: whoever sends waits while the client does not take it."""

from __future__ import annotations

import asyncio

__all__ = ["WriteFlow"]


class WriteFlow:
    """Those who wait until a client has taken what was sent.

    Args:
        loop: The event loop.

    Attributes:
        is_full: Whether the client does not take what is sent.
        taken: A future that is done: of what need not be waited for.
    """

    __slots__ = ("_loop", "_waiting", "is_full", "taken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[asyncio.Future[None]] = []
        self.is_full: bool = False
        self.taken: asyncio.Future[None] = loop.create_future()
        self.taken.set_result(None)

    def wait(self) -> asyncio.Future[None]:
        """A future that is done once the client has taken most of what was sent; it fails where the client goes."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(future)
        return future

    def resume(self) -> None:
        """Wake all those who wait: the client takes what is sent again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def fail(self) -> None:
        """Fail for all those who wait: the client has gone."""
        for future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionResetError("The client has gone"))
                future.exception()  # whether or not anybody still waits
        self._waiting.clear()
