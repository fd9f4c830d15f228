"""The last resort for a process that does not stop when asked: it logs what does not end, and exits."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Literal, NoReturn, Protocol, TypeAlias

import msgspec

from daebus.delivery.grace import NOT_ENDED
from daebus.delivery.standing import (
    Standing,
    busy_threads,
    in_executor,
    is_exiting,
    standing_of_task,
    standing_of_thread,
)
from daebus.telemetry.logs import make_logger

__all__ = ["StopGuard"]

_SPARE_SECONDS = 3.5
_SPARE_SECONDS_OF_ALL = 4.0
"""After this time the process is ended without Python, as the GIL or the log's lock may be held."""

_LATE = "service did not stop in time, and exits"
_KEPT_ALIVE = "threads keep the process alive after the stop: it exits"

_Step: TypeAlias = Literal["armed", "noticed", "over"]

_NOTICE_SECONDS = 1.0
_LOG_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_MOST_TOLD = 20


class ExitNotifier(Protocol):
    """Reports the exit of a process on the bus, from the calling thread; the event loop may be blocked."""

    def leave(self) -> None:
        """Leave the registry, so that this process gets no more calls."""

    def fail_callers(self) -> None:
        """Leave the registry, and send errors to callers that will get no reply."""


class StopGuard:
    """Ends this process if its stop takes more than `seconds` and a few more.

    It runs in a thread of its own, so that a blocked event loop does not block it. Use it in the main thread of a
    process that only runs the service, as it calls `os._exit`.

    Args:
        loop: The event loop of the main thread.
        seconds: The time limit for work in flight.
        exits: Whether the process exits after the stop. Otherwise the program may go on, and the threads that it has
            started before may take their time, except those of a `ThreadPoolExecutor` that have a job.

    Attributes:
        exit_notifier: Reports the exit on the bus; None: the process is not on the bus.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, *, exits: bool = False) -> None:
        self.exit_notifier: ExitNotifier | None = None
        self._loop = loop
        self._seconds = seconds
        self._steps: SimpleQueue[_Step] = SimpleQueue()  # a signal handler may use it
        self._since: float | None = None
        self._thread: threading.Thread | None = None
        self._exits = exits
        self._before = set(threading.enumerate())

    def start(self) -> None:
        """Prepare for `arm`. In a thread other than the main one, the guard does nothing at all."""
        if threading.current_thread() is threading.main_thread():
            self._thread = threading.Thread(target=self._watch, name="daebus-stop", daemon=True)
            self._thread.start()

    def arm(self) -> None:
        """Start the time limit, as the stop was requested. May be called in a signal handler, and repeatedly."""
        if self._since is not None or self._thread is None:
            return
        self._since = time.monotonic()
        self._steps.put("armed")
        with suppress(AttributeError, ValueError, OSError, RuntimeError):  # there is no stderr with a descriptor
            faulthandler.dump_traceback_later(self._seconds + _SPARE_SECONDS_OF_ALL, exit=True)

    def noticed(self) -> None:
        """Note that the event loop has seen the stop request."""
        self._steps.put("noticed")

    def disarm(self) -> None:
        """The service has stopped: only what keeps the process alive is limited in time from now on."""
        if self._exits:
            return  # the exit is a part of the stop
        if self._since is not None:
            faulthandler.cancel_dump_traceback_later()
        self._steps.put("over")

    def busy_threads(self) -> list[Standing]:
        """The threads of the service that run a handler or keep the process alive."""
        return busy_threads(self._programs())

    def give_up(self, unended: Sequence[Standing]) -> None:
        """Exit now because something does not end; in a process that is not ours, only log it."""
        if self._thread is None:
            _tell(NOT_ENDED, unended)
        else:
            _exit(partial(_tell, NOT_ENDED, unended), self.exit_notifier)

    def exit_hung(self, standing: Standing, seconds: float) -> None:
        """Exit now because the event loop hangs; does nothing in a process that is not ours, or that already stops.

        Args:
            standing: Where the event loop stands.
            seconds: For how long it has made no progress.
        """

        def tell() -> None:
            make_logger().critical(
                "event loop hangs: the process exits",
                seconds=round(seconds, 1),
                handler=standing.handler,
                at=standing.at,
                stack=standing.stack,
            )

        if self._thread is not None and self._since is None:
            _exit(tell, self.exit_notifier)

    def _watch(self) -> None:
        if self._steps.get() == "over":
            return
        since = self._since or time.monotonic()
        if not self._comes("noticed", since + _NOTICE_SECONDS):
            self._tell_blocked()
            if self.exit_notifier is not None:
                _start(self.exit_notifier.leave)
        end = since + self._seconds + _SPARE_SECONDS
        if not self._comes("over", end) or self._is_kept_alive(end):
            event = _KEPT_ALIVE if is_exiting() else _LATE
            _exit(partial(_tell, event, self._unended()), self.exit_notifier)

    def _programs(self) -> set[threading.Thread]:
        """The threads of the program that may outlive the service."""
        return set() if self._exits else {one for one in self._before if in_executor(one) != "busy"}

    def _is_kept_alive(self, end: float) -> bool:
        """Whether the program and its threads have reached their end, but those of the service keep it alive."""
        threads = {one for one in threading.enumerate() if not one.daemon} - {threading.main_thread()}
        programs = threads & self._programs()
        keepers = {one for one in threads - programs if in_executor(one) != "idle"}
        if not keepers:
            return False
        while not is_exiting():  # the program may have more to do after the service
            time.sleep(_LOOK_SECONDS)
        for program in programs:
            program.join()
        end = max(end, time.monotonic() + _LOG_SECONDS)
        for keeper in keepers:
            keeper.join(max(0.0, end - time.monotonic()))
        return any(one.is_alive() for one in keepers)

    def _comes(self, step: _Step, until: float) -> bool:
        """Wait for this step or a later one."""
        with suppress(Empty):
            while True:
                came = self._steps.get(timeout=max(0.0, until - time.monotonic()))
                if came in (step, "over"):
                    if came == "over":
                        self._steps.put(came)
                    return True
        return False

    def _tell_blocked(self) -> None:
        standing = self._main()
        make_logger().warning(
            "service is stopping, but its event loop is blocked",
            handler=standing.handler or standing.name,
            at=standing.at,
            seconds_at_most=self._seconds + _SPARE_SECONDS,
        )

    def _main(self) -> Standing:
        """The position of the main thread, under the name of the task that runs there."""
        standing, task = standing_of_thread(threading.main_thread()), asyncio.current_task(self._loop)
        return standing if task is None else msgspec.structs.replace(standing, name=task.get_name())

    def _unended(self) -> list[Standing]:
        """The code that runs in the main thread, if any, then tasks and threads."""
        main = self._main()
        found = [main] if main.handler is not None or asyncio.current_task(self._loop) is not None else []
        with suppress(RuntimeError):  # the loop is changing its tasks
            found += [standing_of_task(task) for task in asyncio.all_tasks(self._loop)]
        return [*found, *self.busy_threads()]


def _exit(log: Callable[[], None], exit_notifier: ExitNotifier | None) -> NoReturn:
    """Log, leave the bus and exit, even if another thread holds the locks of the log."""

    def tell() -> None:
        log()
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()

    threads = [] if exit_notifier is None else [_start(exit_notifier.fail_callers)]
    threads.append(_start(tell))
    end = time.monotonic() + _LOG_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    os._exit(1)


def _start(work: Callable[[], None]) -> threading.Thread:
    """Run a function in a thread that is not waited for and whose failure is ignored."""

    def do() -> None:
        with suppress(Exception):
            work()

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def _users_first(unended: Sequence[Standing]) -> Sequence[Standing]:
    """Those that run user code, handlers first; otherwise those that run for a handler; otherwise all."""
    users = sorted((one for one in unended if one.is_users), key=lambda one: one.handler is None)
    handlers = {one.handler for one in users}
    return [*users, *(one for one in unended if not (one.handler is None or one.handler in handlers))] or unended


def _tell(event: str, unended: Sequence[Standing]) -> None:
    unended = _users_first(unended)
    stacks = {str(one): one.stack for one in unended[:_MOST_TOLD]}
    make_logger().critical(event, unended=list(stacks), stacks=stacks, number=len(unended))
