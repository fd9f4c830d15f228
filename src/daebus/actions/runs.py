"""Runs: the requests that are being handled in this process, and what their callers say of them meanwhile."""

from __future__ import annotations

import asyncio

import msgspec

from daebus.bus.items import Items
from daebus.core.deadlines import Deadlines
from daebus.errors import ServiceError, Timeout, TooManyRequests
from daebus.queues.leases import Entry

__all__ = ["Run", "Runs"]

_LONGEST_NUMBER = 9  # digits


class Run(msgspec.Struct, eq=False):
    """A request that is being handled.

    Attributes:
        task: Handles it.
        request_id: Its id.
        deadline: When it is cancelled, in seconds of `time.monotonic`.
        items: What a streaming action sends.
        caller: The reply channel of whom it sends them to.
    """

    task: asyncio.Task[None]
    request_id: str
    deadline: float
    items: Items | None = None
    caller: str | None = None
    _late: bool = False
    _unwanted: bool = False

    def expire(self) -> None:
        """Cancel it: its deadline has passed."""
        self._late = True
        self.task.cancel()

    def give_up(self) -> None:
        """Cancel it: nobody waits for it."""
        self._unwanted = True
        self.task.cancel()

    @property
    def is_cut(self) -> bool:
        """Whether, if it was cancelled, it was as the service stops."""
        return not (self._late or self._unwanted)

    def ended(self, title: str, begun: float) -> ServiceError | None:
        """Why it was cancelled; None: nobody waits.

        Args:
            title: What the handler is called.
            begun: When it was begun, in seconds of `time.monotonic`.
        """
        self.task.uncancel()
        late = f"{title} did not finish in the {round(self.deadline - begun, 2):g} s that it had"
        return None if self._unwanted else Timeout(late)


class Runs(Deadlines[asyncio.Task[None], Run]):
    """The requests that are being handled, by their tasks; those that are late are cancelled.

    Attributes:
        cut: The entries, each with its stream, whose runs the stop of the service has cancelled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cut: list[tuple[str, Entry]] = []

    def control(self, message: bytes) -> None:
        """Take what a caller says: it waits no longer, or it takes more items of a stream."""
        request_id, *credit = message.decode(errors="replace").split(" ")
        for run in list(self.values()):
            if run.request_id != request_id:
                continue
            if not credit:
                run.give_up()
            elif run.items is not None and all(each.isdecimal() and len(each) <= _LONGEST_NUMBER for each in credit):
                run.items.grant(int(credit[0]), int(credit[1]) if len(credit) > 1 else 0)

    def refuse_more(self, caller: str, most: int) -> None:
        """Raise `TooManyRequests` where a caller has as many streams open as it may."""
        if sum(run.caller == caller for run in self.values()) >= most:
            raise TooManyRequests(f"The caller has {most} streams open in this process, as many as it may")
