"""The limits of a reader: how many entries of each stream are handled at once, and how many are read at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from operator import attrgetter

from .leases import Entry

__all__ = ["BatchSize", "BoundedStream", "Task", "alike_limits"]

_SMALLEST = 4
_LARGEST = 64
_STREAK = 8

Task = asyncio.Task[None]

Handle = Callable[[Entry, Task], Coroutine[object, object, None]]

Alone = Callable[[Entry, int], float]


class BoundedStream:
    """A stream whose entries are handled with limited concurrency.

    Args:
        key: The stream.
        limit: How many entries are handled at once.
        handle: Handles and settles one entry, in the task that it is given; raises only when it is cancelled.
        alone: Returns for how many seconds no other suspect is started beside a suspect entry, given how many wait.
        gone: The sorted set of the stream's groups that were removed on purpose; None: groups are never removed.

    Attributes:
        tasks: The tasks that handle an entry.
        keeps_place: Whether the next free slot is reserved for an entry of a dead instance.
        last_turn: When a suspect of the stream was last started, by the clock of the event loop.
        is_gone: Whether its group was removed on purpose.
        has_orphans: Whether dead instances may own more entries. The stream is checked once there is a slot and a turn.
    """

    def __init__(self, key: str, limit: int, handle: Handle, alone: Alone, gone: str | None = None) -> None:
        self.key = key
        self.limit = limit
        self.handle = handle
        self.alone = alone
        self.gone = gone
        self.tasks: dict[Task, Entry] = {}
        self.keeps_place = False
        self.has_orphans = False
        self.is_gone = False
        self.last_turn: float = 0.0

    @property
    def room(self) -> int:
        """How many more entries can be handled."""
        return self.limit - len(self.tasks)

    @property
    def wanted(self) -> int:
        """How many more entries to read; 0 also if there is little room, because every read would then be small."""
        free = self.limit - len(self.tasks) - self.keeps_place
        return free if free * 4 >= self.limit else 0


_limit_of: Callable[[BoundedStream], int] = attrgetter("limit")


def alike_limits(streams: Sequence[BoundedStream]) -> list[list[BoundedStream]]:
    """The streams in at most two parts, one for each reader, with as little difference between their limits as can be.

    A read takes the same number of entries from each of its streams: so few that the one with the lowest limit has room
    for them. And each reader has a connection.
    """
    ordered = sorted(streams, key=_limit_of)
    ratios = [high.limit / low.limit for low, high in pairwise(ordered)]
    if not ratios or max(ratios) == 1:
        return [ordered] if ordered else []
    end = ratios.index(max(ratios)) + 1
    return [ordered[:end], ordered[end:]]


class BatchSize:
    """The batch size of reads from a stream: about half of the requests in flight.

    If one read took all of them, callers, server and service would wait for each other in turn. With half of them, one
    half is handled while the other is on its way. A larger batch also costs less per entry. The number in flight is
    unknown, but reads show it: while more entries wait, reads return full batches.

    Args:
        limit: How many entries are handled at once; at most half of that is read.

    Attributes:
        entries: How many to ask for now.
    """

    def __init__(self, limit: int) -> None:
        self._largest = max(1, min(_LARGEST, limit // 2))
        self._smallest = min(_SMALLEST, self._largest)
        self.entries: int = self._smallest
        self._full = self._short = 0

    def learn(self, got: int) -> None:
        """Adapt to the number of entries that a read returned, given how many it asked for."""
        if got >= self.entries:
            self._full, self._short = self._full + 1, 0
            if self._full == _STREAK:
                self._set(self.entries * 2)
        elif got > 1:  # the first one, after a pause, comes alone and says nothing
            self._full, self._short = 0, self._short + 1
            if got * 2 >= self.entries or self._short == _STREAK:
                self._set(self.entries // 2)

    def _set(self, entries: int) -> None:
        self.entries = max(self._smallest, min(self._largest, entries))
        self._full = self._short = 0
