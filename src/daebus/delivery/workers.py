"""Threads for ``def`` handlers. They are daemons: a handler that never returns does not keep the process alive.

A thread cannot be cancelled. `daebus.core.slots` notices when all of them are held by handlers that do not return.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar, cast

from daebus.core.slots import Slot, Slots, held_slot

__all__ = ["THREAD_NAME", "OwnThread", "WorkerPool", "Workers", "to_its_end"]

T = TypeVar("T")

THREAD_NAME = "daebus-worker"
"""The name of the threads of a pool."""


class Workers(Protocol):
    """Runs the functions of ``def`` handlers.

    Attributes:
        slots: The threads that may be used at once; None: there is no limit.
    """

    @property
    def slots(self) -> Slots | None:
        """See above."""
        ...

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function off the event loop, with the context variables of the caller."""
        ...


async def to_its_end(work: Awaitable[T]) -> T:
    """Wait for a thread even if cancelled, however often: it keeps running and needs its objects open."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # asyncio logs exceptions that are never retrieved
        raise


class _Job(Generic[T]):
    """A function that runs in a thread, and the future in the event loop for its result."""

    def __init__(self, function: Callable[[], T], slot: Slot | None = None) -> None:
        self._function = function
        self._slot = slot
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[T] = self._loop.create_future()
        self._left: asyncio.Future[None] | None = None
        self._is_running = False

    def leave(self) -> asyncio.Future[None] | None:
        """Wait no longer. Returns what is done when the function has ended; None: it has not begun, and never will."""
        if self._is_running:
            self._left = self._loop.create_future()
        return self._left

    def work(self) -> None:
        """Run the function in this thread, unless it was left before."""
        self._is_running = True
        if self.done.cancelled():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._tell, None, None)
            return
        result, raised = None, None
        try:
            result = self._context.run(self._function)
        except BaseException as error:  # it is raised again by the future
            raised = error
        with suppress(RuntimeError):  # the loop is closed, so nothing waits
            self._loop.call_soon_threadsafe(self._tell, result, raised)
        # The traceback holds this frame, which must not hold the exception.
        del self, result, raised

    def _tell(self, result: T | None, raised: BaseException | None) -> None:
        if self._left is not None:
            self._left.set_result(None)
        if self._slot is not None:
            self._slot.end_job()
        if self.done.done():
            return
        if raised is None:
            self.done.set_result(cast("T", result))
        else:
            self.done.set_exception(raised)


class WorkerPool:
    """The bounded thread pool for ``def`` handlers; threads are created when they are needed.

    Args:
        limit: The maximum number of threads.

    Attributes:
        limit: The maximum number of threads.
        slots: The threads that may be used at once, in the present run of the app.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.slots: Slots = Slots(limit)
        self._jobs: SimpleQueue[_Job[object] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0
        self._left: set[asyncio.Future[None]] = set()

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a thread of the pool."""
        slot = held_slot.get()
        if slot is None or not slot.is_of(self.slots):
            slot = await self.slots.wait()
            slot.begin_job()
            slot.leave()  # as soon as the function has ended
        else:
            slot.begin_job()
        job = _Job(function, slot)
        with self._lock:
            # If as many jobs wait as threads are free, each free thread already has a job.
            needs_thread = self._free <= self._jobs.qsize() and self._threads < self.limit
            self._threads += needs_thread
            jobs = self._jobs
        jobs.put(cast("_Job[object]", job))
        if needs_thread:
            threading.Thread(target=self._work, args=[jobs], name=THREAD_NAME, daemon=True).start()
        try:
            return await job.done
        except asyncio.CancelledError:
            if (left := job.leave()) is not None:
                self._left.add(left)
                left.add_done_callback(self._left.discard)
            raise
        finally:
            del job  # it holds the exception, whose traceback holds this frame

    async def drain(self, seconds: float) -> None:
        """Wait for the functions that run although their callers were cancelled, for so many seconds at most."""
        if self._left:
            await asyncio.wait(self._left, timeout=seconds)
            self._left.clear()

    def close(self) -> None:
        """End the threads; running functions are completed first. The pool can be used again."""
        with self._lock:
            leaving, self._threads = self._threads, 0
            self._free = 0
            self.slots = Slots(self.limit)
            jobs, self._jobs = self._jobs, SimpleQueue()
        for _ in range(leaving):
            jobs.put(None)

    def _work(self, jobs: SimpleQueue[_Job[object] | None]) -> None:
        while True:
            with self._lock:
                self._free += jobs is self._jobs
            job = jobs.get()
            with self._lock:
                self._free -= jobs is self._jobs
            if job is None:
                return
            job.work()
            del job  # not to be kept while the thread waits for the next one


class OwnThread:
    """A new thread for each run.

    Args:
        name: The name of the thread.

    Attributes:
        slots: None: there is no limit.
    """

    slots: None = None

    def __init__(self, name: str) -> None:
        self._name = name

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a new thread."""
        job = _Job(function)
        threading.Thread(target=job.work, name=self._name, daemon=True).start()
        try:
            return await job.done
        finally:
            del job  # it holds the exception, whose traceback holds this frame
