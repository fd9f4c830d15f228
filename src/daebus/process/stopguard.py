"""The last resort of a process that is asked to stop and does not: it says what does not end, and exits."""

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
from queue import Empty, SimpleQueue
from typing import Literal, NoReturn, Protocol, TypeAlias

from daebus.delivery.grace import NOT_ENDED
from daebus.delivery.standing import Standing, busy_threads, standing_of_task, standing_of_thread
from daebus.telemetry.logs import make_logger

__all__ = ["StopGuard"]

_SPARE_SECONDS = 3.5
_SPARE_SECONDS_OF_ALL = 4.0
"""After which it is done without Python: the GIL may be held, or the log's lock."""

_Step: TypeAlias = Literal["armed", "noticed", "over"]

_NOTICE_SECONDS = 1.0
_LOG_SECONDS = 0.5
_MOST_TOLD = 20


class Farewell(Protocol):
    """Speaks on the bus for a process whose event loop may be blocked, in the thread that calls it."""

    def leave(self) -> None:
        """Leave the registry, so that nobody calls this process any more."""

    def fail_callers(self) -> None:
        """Leave the registry, and tell those whose calls nobody will answer."""


class StopGuard:
    """Ends this process where its stop does not, `seconds` and a few more after it was asked for.

    It works in a thread of its own, so that a blocked event loop does not stop it. For the main thread of a process
    that is the service's own: it ends in `os._exit`.

    Args:
        loop: The event loop of the main thread.
        seconds: That the work in hand may take.

    Attributes:
        farewell: Speaks for the process on the bus; None: it takes no part in it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.farewell: Farewell | None = None
        self._loop = loop
        self._seconds = seconds
        self._steps: SimpleQueue[_Step] = SimpleQueue()  # which a signal handler may use
        self._since: float | None = None
        self._thread: threading.Thread | None = None
        self._others = set(threading.enumerate())

    def start(self) -> None:
        """Be ready to be armed. In a thread other than the main one nothing happens, then or later."""
        if threading.current_thread() is threading.main_thread():
            self._thread = threading.Thread(target=self._watch, name="daebus-stop", daemon=True)
            self._thread.start()

    def arm(self) -> None:
        """The stop was asked for. May be called by a signal handler, and again."""
        if self._since is not None or self._thread is None:
            return
        self._since = time.monotonic()
        self._steps.put("armed")
        with suppress(AttributeError, ValueError, OSError, RuntimeError):  # there is no stderr with a descriptor
            faulthandler.dump_traceback_later(self._seconds + _SPARE_SECONDS_OF_ALL, exit=True)

    def noticed(self) -> None:
        """The event loop has noticed that it stops."""
        self._steps.put("noticed")

    def disarm(self) -> None:
        """The stop is over."""
        if self._since is not None:
            faulthandler.cancel_dump_traceback_later()
        self._steps.put("over")

    def busy_threads(self) -> list[Standing]:
        """The threads that were made since then, and run a handler or keep the process alive."""
        return busy_threads(self._others)

    def give_up(self, unended: Sequence[Standing]) -> None:
        """Exit now, as something does not end; where the process is not ours, only the log says so."""
        if self._thread is None:
            _tell(NOT_ENDED, unended)
        else:
            _exit(NOT_ENDED, unended, self.farewell)

    def _watch(self) -> None:
        if self._steps.get() == "over":
            return
        since = self._since or time.monotonic()
        if not self._comes("noticed", since + _NOTICE_SECONDS):
            self._tell_blocked()
            if self.farewell is not None:
                _start(self.farewell.leave)
        if not self._comes("over", since + self._seconds + _SPARE_SECONDS):
            _exit("service did not stop in time, and exits", self._unended(), self.farewell)

    def _comes(self, step: _Step, until: float) -> bool:
        """Wait for a step, or one after it."""
        with suppress(Empty):
            while True:
                came = self._steps.get(timeout=max(0.0, until - time.monotonic()))
                if came in (step, "over"):
                    if came == "over":
                        self._steps.put(came)
                    return True
        return False

    def _tell_blocked(self) -> None:
        standing = standing_of_thread(threading.main_thread())
        make_logger().warning(
            "service is to stop, but its event loop is blocked",
            handler=standing.handler,
            at=standing.at,
            seconds_at_most=self._seconds + _SPARE_SECONDS,
        )

    def _unended(self) -> list[Standing]:
        """What runs in the main thread, if that is anything, then tasks and threads."""
        main = standing_of_thread(threading.main_thread())
        found = [main] if main.handler is not None else []
        with suppress(RuntimeError):  # the loop is changing them
            found += [standing_of_task(task) for task in asyncio.all_tasks(self._loop)]
        return [*found, *self.busy_threads()]


def _exit(event: str, unended: Sequence[Standing], farewell: Farewell | None) -> NoReturn:
    """Log, take leave, and exit, whoever holds the locks of the log."""

    def tell() -> None:
        _tell(event, unended)
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()

    threads = [] if farewell is None else [_start(farewell.fail_callers)]
    threads.append(_start(tell))
    end = time.monotonic() + _LOG_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    os._exit(1)


def _start(work: Callable[[], None]) -> threading.Thread:
    """Do something in a thread that nobody has to wait for, and whose failure is of no interest any more."""

    def do() -> None:
        with suppress(Exception):
            work()

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    return thread


def _users_first(unended: Sequence[Standing]) -> Sequence[Standing]:
    """What runs the user's code, handlers first; else what runs for a handler; else all, as it is ours alone."""
    users = sorted((one for one in unended if one.is_users), key=lambda one: one.handler is None)
    handlers = {one.handler for one in users}
    return [*users, *(one for one in unended if not (one.handler is None or one.handler in handlers))] or unended


def _tell(event: str, unended: Sequence[Standing]) -> None:
    unended = _users_first(unended)
    stacks = {str(one): one.stack for one in unended[:_MOST_TOLD]}
    make_logger().critical(event, unended=list(stacks), stacks=stacks, number=len(unended))
