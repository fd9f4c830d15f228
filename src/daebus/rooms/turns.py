"""`Turns`: what is done for one key is done one after the other, without a lock that is kept for each key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

__all__ = ["Turns"]


class Turns:
    """The work in progress, by its key."""

    def __init__(self) -> None:
        self._last: dict[Hashable, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncGenerator[None]:
        """Wait until all work for the key that began before is done, and let later work wait for this."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        before, self._last[key] = self._last.get(key), ended
        try:
            if before is not None:
                await asyncio.wait({before})
            yield
        finally:
            if before is None or before.done():
                self._end(key, ended)
            else:  # it was cancelled while it waited: later work still waits for what is before
                before.add_done_callback(lambda _: self._end(key, ended))

    def _end(self, key: Hashable, ended: asyncio.Future[None]) -> None:
        ended.set_result(None)
        if self._last.get(key) is ended:
            del self._last[key]
