"""Handlers with their own thread: started, stopped and restarted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import msgspec

from daebus.core.pauses import pauses
from daebus.core.stopping import Stopping
from daebus.declare.running import Running
from daebus.delivery.after_commit import refuse
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.grace import Grace
from daebus.errors import NotFound
from daebus.mistakes.suggestions import did_you_mean
from daebus.telemetry.logs import Logger

__all__ = ["ServiceThreads", "ThreadTask", "Threads"]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0


class ThreadTask(msgspec.Struct, frozen=True):
    """A thread handler; the workers of its endpoint give it a thread of its own.

    Attributes:
        name: Its name.
        endpoint: The handler.
        auto_start: Whether it starts with the service.
        restart: Whether it is started again after it failed.
        timeout: Seconds after which it is asked to stop; None: it runs until it is stopped.
    """

    name: str
    endpoint: Endpoint[None]
    auto_start: bool
    restart: bool
    timeout: float | None = None


class Threads:
    """The threads of a service, controlled from any handler or thread.

    Args:
        tasks: Its thread handlers.
        service: The service's name.
        stopping: Whether the service stops.
        logger: For errors.
    """

    def __init__(self, tasks: Sequence[ThreadTask], *, service: str, stopping: Stopping, logger: Logger) -> None:
        self._tasks = {task.name: task for task in tasks}
        self._service = service
        self._stopping = stopping
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._switches: dict[str, Running] = {}
        self._runs: set[asyncio.Task[None]] = set()

    def names(self) -> list[str]:
        """The names of all thread handlers, running or not."""
        return sorted(self._tasks)

    def is_running(self, name: str) -> bool:
        """Whether a thread runs and was not asked to stop.

        Args:
            name: The name of the thread, as in its decorator.

        Raises:
            NotFound: There is no thread of this name.
        """
        self._require(name)
        return name in self._switches

    def start(self, name: str) -> None:
        """Start a thread; does nothing if it already runs.

        Args:
            name: The name of the thread, as in its decorator.

        Raises:
            NotFound: There is no thread of this name.
        """
        task = self._require(name)
        with self._lock:
            if name in self._switches:
                return
            running = self._switches[name] = Running()
        self._loop.call_soon_threadsafe(self._launch, task, running)

    def stop(self, name: str) -> None:
        """Ask a thread to stop; it does so when it next checks its switch.

        Args:
            name: The name of the thread, as in its decorator.

        Raises:
            NotFound: There is no thread of this name.
        """
        self._require(name)
        with self._lock:
            running = self._switches.pop(name, None)
        if running is not None:
            running.stop()

    def _require(self, name: str) -> ThreadTask:
        task = self._tasks.get(name)
        if task is None:
            hint = did_you_mean(name, self._tasks, f"there are: {', '.join(self.names()) or 'none'}")
            raise NotFound(f"There is no thread {name!r}; {hint}")
        return task

    def _launch(self, task: ThreadTask, running: Running) -> None:
        run = asyncio.create_task(self._run(task, running), name=task.name)
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    async def _run(self, task: ThreadTask, running: Running) -> None:
        waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while running():
            begun = time.monotonic()
            if await self._run_once(task, running):
                break
            if not task.restart:
                self._logger.error(
                    "thread failed and is not restarted", thread=task.name, remedy="thread(..., restart=True)"
                )
                break
            if time.monotonic() - begun > _LONGEST_PAUSE:
                waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
            await asyncio.sleep(next(waits))
        with self._lock:
            if self._switches.get(task.name) is running:
                del self._switches[task.name]

    async def _run_once(self, task: ThreadTask, running: Running) -> bool:
        """Whether the handler returned by itself."""
        delivery = Delivery(task.endpoint, self._service, self._stopping, self._logger)
        incoming = delivery.incoming(delivery.title.replace(" ", "-"), part=running)
        refuse(incoming.context)  # it may never end
        with self._stopped_after(task, running):
            outcome = await delivery.deliver(incoming)
        if outcome.problem is None:
            return True
        if not outcome.is_logged:
            self._logger.error("thread failed", thread=task.name, reason=outcome.problem.message)
        return False

    @contextmanager
    def _stopped_after(self, task: ThreadTask, running: Running) -> Generator[None]:
        """Turn off the switch of a thread after its timeout, and log this; nothing else ends the thread."""

        def stop() -> None:
            running.stop()
            hint = "it ends when it next checks running(); nothing else ends a thread"
            self._logger.warning("thread exceeds its timeout", thread=task.name, seconds=task.timeout, hint=hint)

        timer = None if task.timeout is None else self._loop.call_later(task.timeout, stop)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


class ServiceThreads(Threads):
    """The threads of a service with methods to start and stop all of them, for the owner of the service."""

    def start_all(self) -> None:
        """Start the threads that start with the service."""
        for task in self._tasks.values():
            if task.auto_start:
                self.start(task.name)

    async def stop_all(self, grace: Grace) -> None:
        """Ask all threads to stop, and wait for them."""
        for name in self._tasks:
            self.stop(name)
        await grace.end(set(self._runs))
