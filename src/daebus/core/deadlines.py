"""Deadlines: one timer for all items calls those that are late; a limit for the time of one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from daebus.errors import Timeout

__all__ = ["NEVER", "OVERDUE_SECONDS", "Deadlines", "Expiring", "in_time"]

NEVER = float("inf")

OVERDUE_SECONDS = 1.0
"""Seconds that cancelled work has to end before the log says that it does not."""

_GRAIN_SECONDS = 0.005


class Expiring(Protocol):
    """An item with a deadline."""

    @property
    def deadline(self) -> float:
        """The deadline in seconds of `time.monotonic`; it may move later."""
        ...

    def expire(self) -> None:
        """The deadline has passed. Called once."""
        ...


K = TypeVar("K")
E = TypeVar("E", bound=Expiring)
M = TypeVar("M")
T = TypeVar("T")


async def in_time(
    handle: Callable[[M], Awaitable[T]],
    message: M,
    title: str,
    seconds: float,
    *,
    margin: float = 0.0,
    overdue: Callable[[], object] | None = None,
) -> T:
    """Pass a message to a function, and cancel it if it takes too long.

    Args:
        handle: The function.
        message: Its argument.
        title: Its name in the error: ``action get_user``.
        seconds: How long it may take.
        margin: Further seconds before it is cancelled, which the error does not mention: for a function that has the
            same limit itself, and whose own error says more.
        overdue: Called if it has not ended a second after it was cancelled; None: nothing is.

    Raises:
        Timeout: It has taken longer. A `TimeoutError` of the function itself is passed on.
    """
    limit = asyncio.timeout(seconds + margin)
    after = seconds + margin + OVERDUE_SECONDS
    timer = None if overdue is None else asyncio.get_running_loop().call_later(after, overdue)
    try:
        async with limit:
            return await handle(message)
    except TimeoutError as error:
        if limit.expired():  # the cause has the line at which it was cancelled, for dead letters
            raise Timeout(f"{title} did not finish in {round(seconds, 3):g} s") from error
        raise
    finally:
        if timer is not None:
            timer.cancel()


class Deadlines(dict[K, E], Generic[K, E]):
    """Items with deadlines, by a key. A removed item is no longer watched.

    A timer for each message would cost more than all its other handling, and most messages are in time. So there is one
    timer, for the earliest deadline, and all items are checked when it fires.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timer: asyncio.TimerHandle | None = None
        self._rings = NEVER

    def add(self, key: K, item: E) -> None:
        """Watch `item` until it is removed, or late: then it is removed and its `expire` is called."""
        self[key] = item
        if item.deadline < self._rings:
            self._ring_at(item.deadline)

    def _ring_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings = deadline
        # Not for each single one, where many are late one after another.
        pause = max(_GRAIN_SECONDS, deadline - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._timer, self._rings = None, NEVER
        now = time.monotonic()
        for key in [key for key, item in self.items() if item.deadline <= now]:
            if (item := self.pop(key, None)) is not None:
                item.expire()
        earliest = min((item.deadline for item in self.values()), default=NEVER)
        if earliest < NEVER:
            self._ring_at(earliest)
