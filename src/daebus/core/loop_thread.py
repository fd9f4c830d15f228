"""An event loop in another thread: how blocking code waits for coroutines that run there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import TypeVar

from daebus.errors import DaebusError

from .forks import Home

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """An event loop in another thread, with a way to wait for it from this thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._thread: threading.Thread | None = None
        self._home = Home()

    @property
    def is_here(self) -> bool:
        """Whether it runs in this process, and not in one from which this was forked."""
        return self._home.is_here

    def open(self) -> None:
        """Run an event loop in a separate thread."""
        self._home = Home()
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="daebus-bus", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and close the event loop that `open` created."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def wait_for(self, coroutine: Coroutine[object, object, T]) -> T:
        """Run a coroutine in the loop, with the context variables of this thread, and wait for its result."""
        loop = self._loop
        problem = None
        if loop is not None and not self._home.is_here:
            coroutine.close()
            self._home.require()
        if loop is None:
            problem = "The bus is not open: use `with BlockingBus(url) as bus:`."
        elif asyncio._get_running_loop() is loop:  # noqa: SLF001
            problem = "A blocking call on the event loop would never end: use `bus` in `async def` handlers."
        if loop is None or problem is not None:
            coroutine.close()
            raise DaebusError(problem)
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
