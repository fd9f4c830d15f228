"""`Stopping`: tells handlers that run for long that their service stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Stopping"]


class Stopping:
    """Whether the service that handles a message stops: ``context.stopping``. May be asked in any thread.

    A handler that looks at it can end what it does before it is cancelled.
    """

    __slots__ = ("_is_set", "_wanted")

    def __init__(self) -> None:
        self._is_set = False
        self._wanted: dict[Callable[[], None], None] = {}

    def is_set(self) -> bool:
        """Whether the service stops."""
        return self._is_set

    async def wait(self) -> None:
        """Return when the service stops; at once, where it does already."""
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
        """The service stops. For whoever runs it, in its event loop."""
        self._is_set = True
        while self._wanted:
            callback, _ = self._wanted.popitem()
            callback()

    def clear(self) -> None:
        """The service runs again. For whoever runs it."""
        self._is_set = False

    def call_when_set(self, callback: Callable[[], None]) -> None:
        """Have something called, in the event loop of the service, when it stops; at once, where it does already."""
        self._wanted[callback] = None
        if self._is_set and callback in self._wanted:
            self.forget(callback)
            callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call it any more."""
        self._wanted.pop(callback, None)
