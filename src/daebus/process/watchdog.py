"""A watchdog: it logs when the event loop is blocked, for how long, by which handler and in which line."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from functools import partial
from typing import Self

from daebus.core.environment import seconds_from
from daebus.delivery.standing import Standing, busy_threads, standing_of_thread
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

__all__ = ["Watchdog"]

_VARIABLE, _DEFAULT_SECONDS = "DAEBUS_BLOCKED_AFTER", 1.0
_LOOKS = 4  # checks within the limit
_GROWTH = 10
"""While the event loop stays blocked, it is logged again each time the duration has grown by this factor."""

_WORKED = 0.1
"""Minimum share of CPU time in a gap between checks; with less, the process was paused, not busy."""

_MOST_PLACES = 1000


class Watchdog:
    """Checks the progress of the event loop inside its ``with`` block, from a thread of its own.

    Pauses of the whole process, by SIGSTOP or a sleeping machine, do not count. If a C function holds the GIL, the
    block is logged afterwards.

    Args:
        logger: The log.

    Raises:
        ConfigurationError: DAEBUS_BLOCKED_AFTER is not a number of seconds.
    """

    def __init__(self, logger: Logger) -> None:
        self._limit = seconds_from(_VARIABLE, _DEFAULT_SECONDS)
        self._look = self._limit / _LOOKS
        self._logger = logger
        self._loop_thread = threading.current_thread()
        self._timer: asyncio.TimerHandle | None = None
        self._beaten = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._places: defaultdict[str, Tally] = defaultdict(partial(Tally, forgets=True))
        self._next = self._limit  # seconds after which it is logged again
        self._told = False
        self._since = 0.0

    def __enter__(self) -> Self:
        """Watch the event loop that runs in this thread; does nothing if the limit is 0."""
        if self._limit:
            self._beat(asyncio.get_running_loop())
            self._thread = threading.Thread(target=self._watch, name="daebus-watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._timer is not None and self._thread is not None:
            self._timer.cancel()
            self._thread.join()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beaten = time.monotonic()
        self._timer = loop.call_later(self._look, self._beat, loop)

    def _watch(self) -> None:
        before, worked_before, paused = time.monotonic(), time.process_time(), 0.0
        while not self._over.wait(self._look):
            now, worked = time.monotonic(), time.process_time()
            late = now - before - self._look
            if late > self._limit and worked - worked_before > late * _WORKED:
                self._tell_gil(late)
            elif late > self._look:
                paused = now  # this thread did not run either
            before, worked_before = now, worked
            # From the last beat on it may have waited for the next one.
            self._judge(now, now - max(self._beaten, paused) - self._look)

    def _judge(self, now: float, blocked: float) -> None:
        if blocked < self._limit:
            if self._told:
                if self._beaten <= self._since:
                    return  # only this thread did not run
                self._logger.info("event loop goes on", seconds=round(self._beaten - self._since, 2))
            self._next, self._told = self._limit, False
        elif blocked >= self._next:
            self._next = blocked * _GROWTH
            standing = standing_of_thread(self._loop_thread)
            # Without user code, the machine is busy, or a server is starting.
            if standing.is_users and not standing.is_idle:
                self._since = now - blocked
                self._told = self._tell("event loop is blocked", standing, blocked) or self._told

    def _tell_gil(self, seconds: float) -> None:
        threads = [standing_of_thread(self._loop_thread), *busy_threads(())]
        standing = next((thread for thread in threads if thread.handler is not None), threads[0])
        # Likewise: on a busy machine this thread waits for its turn, while others start something, for instance.
        if standing.is_users and not standing.is_idle:
            self._tell("event loop was blocked: C code has held the GIL", standing, seconds)

    def _tell(self, event: str, standing: Standing, seconds: float) -> bool:
        place = standing.at if standing.at in self._places or len(self._places) < _MOST_PLACES else ""
        tally = self._places[place]
        tells = tally.add()
        if tells:
            self._logger.warning(
                event,
                seconds=round(seconds, 2),
                handler=standing.handler,
                at=standing.at,
                stack=standing.stack,
                times=tally.count,
                remedy="await, or make it a def handler, which runs in a thread",
            )
        return tells
