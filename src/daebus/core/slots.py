"""Slots: how many threads are used at once, who waits for one, and whether handlers that do not return hold all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar

__all__ = ["Slot", "Slots", "held_slot"]

_HELD_SECONDS = 2.0


class Slot:
    """The right to use one thread. It is free again once its holder has left it, and what runs in the thread has ended.

    Args:
        slots: Where it comes from.
    """

    __slots__ = ("_is_kept", "_jobs", "_slots")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._jobs = 0
        self._is_kept = True

    def is_of(self, slots: Slots) -> bool:
        """Whether it comes from there."""
        return self._slots is slots

    def begin_job(self) -> None:
        """A function starts in the thread."""
        self._jobs += 1

    def end_job(self) -> None:
        """A function in the thread has ended, perhaps long after its caller was cancelled."""
        self._jobs -= 1
        self._free()

    def leave(self) -> None:
        """No more functions will be started."""
        self._is_kept = False
        self._free()

    def _free(self) -> None:
        if not self._is_kept and self._jobs == 0:
            self._slots.free()


held_slot: ContextVar[Slot | None] = ContextVar("held_slot", default=None)
"""The slot that the running task has, so that what it runs in threads does not wait for another one."""


class Slots:
    """The slots of a thread pool. They are given in the order in which they were asked for.

    If no slot has become free for 2 s, they count as held. Then those who wait only `while_free` get none.

    Args:
        limit: How many there are.

    Attributes:
        is_held: Whether all are held.
    """

    def __init__(self, limit: int) -> None:
        self.is_held: bool = False
        self._limit = limit
        self._used = 0
        self._freed = 0  # how often
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._patient: deque[asyncio.Future[bool]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._told: list[tuple[Callable[[], object], Callable[[], object]]] = []

    def watch(self, held: Callable[[], object], freed: Callable[[], object]) -> None:
        """Register what is called when all slots are held, and when one has become free after that."""
        self._told.append((held, freed))

    async def wait(self) -> Slot:
        """Wait for a slot, however long it takes."""
        await self._take(self._patient)
        return Slot(self)

    async def while_free(self) -> Slot | None:
        """Wait for a slot. None: all are held."""
        if self.is_held or not await self._take(self._waiting):
            return None
        return Slot(self)

    def free(self) -> None:
        """Give a slot to the next one who waits."""
        self._freed += 1
        for queue in (self._patient, self._waiting):
            while queue:
                if not (next_one := queue.popleft()).done():
                    next_one.set_result(True)
                    self._end_hold()
                    return
        self._used -= 1
        self._end_hold()

    async def _take(self, queue: deque[asyncio.Future[bool]]) -> bool:
        if self._used < self._limit:
            self._used += 1
            if self._used == self._limit and self._timer is None:
                self._look_later()
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.free()
            raise

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_HELD_SECONDS, self._look, self._freed)

    def _look(self, freed: int) -> None:
        self._timer = None
        if self._used < self._limit:
            return
        if self._freed != freed:
            self._look_later()
            return
        self.is_held = True
        while self._waiting:
            if not (one := self._waiting.popleft()).done():
                one.set_result(False)
        for held, _ in self._told:
            held()

    def _end_hold(self) -> None:
        if self.is_held:
            self.is_held = False
            if self._used == self._limit:
                self._look_later()
            for _, freed in self._told:
                freed()
