"""A watchdog: it logs when the event loop is blocked, for how long, by which handler and in which line.

If the event loop makes no progress for much longer, it counts as hung, and the `HangAlarm` is called.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, Self

from daebus.core.environment import seconds_from
from daebus.delivery.standing import Standing, busy_threads, standing_of_thread
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

__all__ = ["HangAlarm", "Watchdog", "hung_seconds"]

_VARIABLE, _DEFAULT_SECONDS = "DAEBUS_BLOCKED_AFTER", 1.0
_HUNG_VARIABLE, _HUNG_SECONDS = "DAEBUS_HUNG_AFTER", 30.0
_LONGEST_LOOK = 1.0
_LOOKS = 4  # checks within the limit
_GROWTH = 10
"""While the event loop stays blocked, it is logged again each time the duration has grown by this factor."""

_WORKED = 0.1
"""Minimum share of CPU time in a gap between checks; with less, the process was paused, not busy."""

_MOST_PLACES = 1000
_LAG_SECONDS = 10.0


def hung_seconds(given: float | None) -> float:
    """Seconds without progress after which an event loop counts as hung; 0: never.

    Args:
        given: The setting of the service; None: DAEBUS_HUNG_AFTER, otherwise 30.

    Raises:
        ConfigurationError: DAEBUS_HUNG_AFTER is not a number of seconds.
    """
    return seconds_from(_HUNG_VARIABLE, _HUNG_SECONDS) if given is None else given


class HangAlarm(Protocol):
    """The reaction to an event loop that hangs; called in the thread of the watchdog."""

    def hung(self, standing: Standing, seconds: float) -> None:
        """The event loop hangs: where it stands, and for how long it has made no progress."""

    def goes_on(self) -> None:
        """The event loop makes progress again."""


class Watchdog:
    """Checks the progress of the event loop inside its ``with`` block, from a thread of its own.

    Pauses of the whole process, by SIGSTOP or a sleeping machine, do not count. If a C function holds the GIL, the
    block is logged afterwards.

    Args:
        logger: The log.
        hung_after: Seconds without progress after which the event loop counts as hung; 0: never.
        alarm: Called if the event loop hangs.
        is_up: Whether the service has started; what blocks before, such as an import, keeps nobody waiting, and is not
            logged.

    Raises:
        ConfigurationError: DAEBUS_BLOCKED_AFTER is not a number of seconds.
    """

    def __init__(self, logger: Logger, hung_after: float, alarm: HangAlarm, is_up: Callable[[], bool]) -> None:
        self._is_up = is_up
        self._limit = seconds_from(_VARIABLE, _DEFAULT_SECONDS)
        self._hung_after, self._alarm, self._is_hung = hung_after, alarm, False
        self._look = min([_LONGEST_LOOK, *(limit / _LOOKS for limit in (self._limit, hung_after) if limit)])
        self._logger = logger
        self._loop_thread = threading.current_thread()
        self._timer: asyncio.TimerHandle | None = None
        self._beaten = 0.0
        self._delays: deque[tuple[float, float]] = deque()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._places: defaultdict[str, Tally] = defaultdict(partial(Tally, forgets=True))
        self._next = self._limit  # seconds after which it is logged again
        self._told = False
        self._since = self._paused = 0.0

    def __enter__(self) -> Self:
        """Watch the event loop that runs in this thread; does nothing if both limits are 0."""
        if self._limit or self._hung_after:
            self._beat(asyncio.get_running_loop())
            self._thread = threading.Thread(target=self._watch, name="daebus-watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._timer is not None and self._thread is not None:
            self._timer.cancel()
            self._thread.join()
        if self._is_hung:
            self._alarm.goes_on()

    @property
    def lag(self) -> float | None:
        """The longest delay of the event loop in the last 10 s, in seconds; None: it is not watched."""
        return max((delay for _, delay in self._delays), default=None)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now, before = time.monotonic(), self._beaten or None
        self._beaten = now
        if before is not None:
            self._delays.append((now, max(0.0, now - before - self._look)))
        while self._delays and self._delays[0][0] < now - _LAG_SECONDS:
            self._delays.popleft()
        self._timer = loop.call_later(self._look, self._beat, loop)

    def _watch(self) -> None:
        before, worked_before = time.monotonic(), time.process_time()
        silent, seen = 0.0, self._beaten
        while not self._over.wait(self._look):
            now, worked = time.monotonic(), time.process_time()
            # If this thread did not run either, at most one more check counts.
            silent = silent + min(now - before, 2 * self._look) if self._beaten == seen else 0.0
            seen = self._beaten
            self._judge_hang(silent)
            if self._limit and self._is_up():
                self._judge_block(now, now - before, worked - worked_before)
            before, worked_before = now, worked

    def _judge_hang(self, silent: float) -> None:
        if self._is_hung and silent == 0:
            self._is_hung = False
            self._alarm.goes_on()
        elif not self._is_hung and self._hung_after and silent >= self._hung_after:
            self._is_hung = True
            self._alarm.hung(standing_of_thread(self._loop_thread), silent)

    def _judge_block(self, now: float, passed: float, worked: float) -> None:
        late = passed - self._look
        if late > self._limit and worked > late * _WORKED:
            self._tell_gil(late)
        elif late > self._look:
            self._paused = now  # this thread did not run either
        # From the last beat on it may have waited for the next one.
        blocked = now - max(self._beaten, self._paused) - self._look
        if blocked < self._limit:
            if self._told:
                if self._beaten <= self._since:
                    return  # only this thread did not run
                self._logger.info("event loop runs again", seconds=round(self._beaten - self._since, 2))
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
