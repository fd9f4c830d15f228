"""Lapses: an instance was cut off for longer than its lease, and finds out which of its entries were taken over.

What it does afterwards for an entry that is no longer its own must not count: before it sends a reply, settles an entry
or stores an outcome, it asks the server. The handlers of such entries do work that no longer counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Literal, Protocol, TypeAlias

from daebus.telemetry.logs import Logger

__all__ = ["Holder", "Lapses", "OnLapse"]

OnLapse: TypeAlias = Literal["cancel", "continue"]


class Holder(Protocol):
    """A reader, which holds entries while their handlers run."""

    def in_hand(self) -> Mapping[str, int]:
        """How many entries it holds, by the title of their handler. May be called in any thread."""
        ...

    async def find_lost(self, *, cancel: bool) -> Mapping[str, int]:
        """Find the held entries that other instances have taken over, and cancel their handlers if wanted.

        Returns:
            How many there are, by the title of their handler.
        """
        ...


class Lapses:
    """What happens after the lapses of the lease of one instance.

    Args:
        lease: The seconds of the lease.
        logger: Logs each lapse, and what was lost.
        on_lapse: ``cancel``: the handlers of lost entries are cancelled; ``continue``: they run on for nothing.

    Attributes:
        count: How many lapses there were.
        lost: How many entries were taken over in them, by the title of their handler.
    """

    def __init__(self, lease: float, logger: Logger, on_lapse: OnLapse) -> None:
        self.count: int = 0
        self.lost: Counter[str] = Counter()
        self._lease = lease
        self._logger = logger
        self._cancels = on_lapse == "cancel"
        self._holders: list[Holder] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.Task[None] | None = None
        self._again = False

    def watch(self, holder: Holder) -> None:
        """Register a reader, in its event loop."""
        self._loop = asyncio.get_running_loop()
        self._holders.append(holder)

    def begin(self, seconds: float) -> None:
        """The instance was cut off for so many seconds, and is connected again. May be called in any thread.

        If that is less than its lease, it counted as dead all the same.
        """
        self.count += 1
        in_hand = _sum(holder.in_hand() for holder in self._holders)
        why = "cut off for longer than its lease"
        if seconds < self._lease:
            why = "counted as dead within its lease, as the clock of the server was set"
        self._logger.warning(
            f"{why}: others may have taken over its messages in flight",
            seconds=round(seconds, 1),
            lease=self._lease,
            entries=in_hand.total(),
            handlers=dict(in_hand),
        )
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._look)

    async def stop(self) -> None:
        """Look for nothing more."""
        self._loop = None
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    def _look(self) -> None:
        if self._loop is None:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._find_lost(), name="entries lost in a lapse")
        else:
            self._again = True  # it was cut off a second time meanwhile

    async def _find_lost(self) -> None:
        while True:
            self._again = False
            found = await asyncio.gather(*(holder.find_lost(cancel=self._cancels) for holder in self._holders))
            if lost := _sum(found):
                self.lost += lost
                self._logger.warning(
                    "other instances have taken over entries while this one was cut off: their outcome here is void",
                    entries=lost.total(),
                    handlers=dict(lost),
                    cancelled=self._cancels,
                )
            if not self._again:
                return


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for each in counts:
        total.update(each)
    return total
