"""`Stopping`: tells long-running handlers that their service stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Stopping"]


class Stopping:
    """Whether the service that handles a message stops: ``context.stopping``. May be used in any thread.

    A handler that checks it can finish its work before it is cancelled.
    """

    __slots__ = ("_is_set", "_wanted")

    def __init__(self) -> None:
        self._is_set = False
        self._wanted: dict[Callable[[], None], None] = {}

    def is_set(self) -> bool:
        """Whether the service stops."""
        return self._is_set

    async def wait(self) -> None:
        """Return when the service stops; at once if it already does."""
        loop = asyncio.get_running_loop()
        told = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(told.set)

        self.call_when_set(tell)
        try:
            await told.wait()
        finally:
            self.forget(tell)

    def set(self) -> None:
        """Mark the service as stopping. For the owner of the service, in its event loop."""
        self._is_set = True
        while self._wanted:
            callback, _ = self._wanted.popitem()
            callback()

    def clear(self) -> None:
        """Mark the service as running again. For the owner of the service."""
        self._is_set = False

    def call_when_set(self, callback: Callable[[], None]) -> None:
        """Register a callback that runs in the event loop of the service when it stops; at once if it already does."""
        self._wanted[callback] = None
        if self._is_set and callback in self._wanted:
            self.forget(callback)
            callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Remove a callback."""
        self._wanted.pop(callback, None)
