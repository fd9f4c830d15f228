"""Runs: the requests in progress in this process, and the control messages of their callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from daebus.bus.items import Items
from daebus.core.deadlines import OVERDUE_SECONDS, Deadlines
from daebus.errors import ServiceError, Timeout, TooManyRequests
from daebus.protocol.messages import Request
from daebus.queues.leases import Entry

__all__ = ["Run", "Runs"]

_LONGEST_NUMBER = 9  # digits


class Run(msgspec.Struct, eq=False):
    """A request in progress.

    Attributes:
        task: Handles it.
        request: The request.
        deadline: When it is cancelled, in seconds of `time.monotonic`.
        overdue: Called with the run if it has not ended a second after it was cancelled.
        items: The items that a streaming action sends.
        caller: The reply channel of the caller that gets them.
    """

    task: asyncio.Task[None]
    request: Request
    deadline: float
    overdue: Callable[[Run], object]
    items: Items | None = None
    caller: str | None = None
    _late: bool = False
    _unwanted: bool = False

    def expire(self) -> None:
        """Cancel the run because its deadline has passed."""
        self._cancel()
        self._late = True

    def give_up(self) -> None:
        """Cancel the run because its caller no longer waits."""
        self._cancel()
        self._unwanted = True

    def _cancel(self) -> None:
        if self.is_cut:  # the first time
            asyncio.get_running_loop().call_later(OVERDUE_SECONDS, self.overdue, self)
        self.task.cancel()

    @property
    def is_cut(self) -> bool:
        """Whether the run, if it was cancelled, was cancelled because the service stops."""
        return not (self._late or self._unwanted)

    def ended(self, title: str, begun: float) -> ServiceError | None:
        """The error that says why the run was cancelled; None: the caller no longer waits.

        Args:
            title: The handler's title in messages.
            begun: When it was started, in seconds of `time.monotonic`.
        """
        self.task.uncancel()
        late = f"{title} did not finish in the {round(self.deadline - begun, 2):g} s that it had"
        return None if self._unwanted else Timeout(late)


class Runs(Deadlines[asyncio.Task[None], Run]):
    """The requests in progress, by their tasks. Those past their deadline are cancelled.

    Attributes:
        cut: The entries, each with its stream, whose runs were cancelled by the stop of the service.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cut: list[tuple[str, Entry]] = []

    def control(self, message: bytes) -> None:
        """Handle a control message of a caller: it no longer waits, or it accepts more items of a stream."""
        request_id, *credit = message.decode(errors="replace").split(" ")
        for run in list(self.values()):
            if run.request.request_id != request_id:
                continue
            if not credit:
                run.give_up()
            elif run.items is not None and all(each.isdecimal() and len(each) <= _LONGEST_NUMBER for each in credit):
                run.items.grant(int(credit[0]), int(credit[1]) if len(credit) > 1 else 0)

    def refuse_more(self, caller: str, most: int) -> None:
        """Raise `TooManyRequests` if a caller has reached its limit of open streams."""
        if sum(run.caller == caller for run in self.values()) >= most:
            raise TooManyRequests(f"The caller has {most} streams open in this process, as many as it may")
