"""The streams of a reader: the entries in flight, how many there may be, and how many are read at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from itertools import pairwise
from operator import attrgetter

from daebus.core.slots import Slots

from .leases import Entry, Lease

__all__ = ["BatchSize", "BoundedStream", "HeldEntries", "Task", "alike_limits"]

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
        title: The title of its handler in logs.
        limit: How many entries are handled at once.
        handle: Handles and settles one entry, in the task that it is given; raises only when it is cancelled.
        alone: Returns for how many seconds no other suspect is started beside a suspect entry, given how many wait.
        gone: The sorted set of the stream's groups that were removed on purpose; None: groups are never removed.
        slots: The threads for its handler; None: it runs in the event loop.

    Attributes:
        label: The handler in counts: ``action NAME``, or ``listen LISTENER``.
        tasks: The tasks that handle an entry.
        keeps_place: Whether the next free slot is reserved for an entry of a dead instance.
        last_turn: When a suspect of the stream was last started, by the clock of the event loop.
        is_gone: Whether its group was removed on purpose.
        has_orphans: Whether dead instances may own more entries. The stream is checked once there is a slot and a turn.
    """

    def __init__(
        self,
        key: str,
        title: str,
        limit: int,
        handle: Handle,
        alone: Alone,
        gone: str | None = None,
        slots: Slots | None = None,
    ) -> None:
        self.key = key
        self.title = title
        self.label: str = title
        self.limit = limit
        self.handle = handle
        self.alone = alone
        self.gone = gone
        self.slots = slots
        self.tasks: dict[Task, Entry] = {}
        self.keeps_place = False
        self.has_orphans = False
        self.is_gone = False
        self.last_turn: float = 0.0

    @property
    def room(self) -> int:
        """How many more entries can be handled."""
        return 0 if self.is_held else self.limit - len(self.tasks)

    @property
    def is_held(self) -> bool:
        """Whether all threads for its handler are held by handlers that do not return."""
        return self.slots is not None and self.slots.is_held

    @property
    def wanted(self) -> int:
        """How many more entries to read; 0 also if there is little room, because every read would then be small."""
        free = self.limit - len(self.tasks) - self.keeps_place
        slots = self.slots  # as `is_held`, but this is asked for each message
        return free if free * 4 >= self.limit and (slots is None or not slots.is_held) else 0


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


class HeldEntries:
    """The entries in flight of a reader, some of which other instances may have taken over.

    Args:
        group: The consumer group of the reader.
        registry: The sorted set of the instances that read the streams.
        lease: The heartbeat of this process.
        streams: The streams.
    """

    def __init__(self, group: str, registry: str, lease: Lease, streams: Sequence[BoundedStream]) -> None:
        self._group = group
        self._registry = registry
        self._lease = lease
        self._streams = streams

    def doubt(self) -> None:
        """Any of them may belong to another instance from now on: each has to be confirmed before it is settled."""
        for stream in self._streams:
            for entry in stream.tasks.values():
                entry.tenure = None

    async def owned(self, stream: BoundedStream, entries: Collection[Entry]) -> list[Entry]:
        """Those of some entries of a stream that are still with this instance; waits until the server answers."""
        return await self._lease.owned(stream.key, self._registry, self._group, entries)

    async def give_back(self, stream: BoundedStream, entry: Entry) -> None:
        """Give an entry back that was not started: another instance takes it over."""
        await self._lease.registries.give_back(self._registry, stream.key, self._group, (entry.id, entry.deliveries))

    def in_hand(self) -> Counter[str]:
        """How many entries are in flight, by the title of their handler. May be called in any thread."""
        held = Counter[str]()
        for stream in self._streams:
            if number := len(stream.tasks):
                held[stream.title] += number
        return held

    async def find_lost(self, *, cancel: bool) -> Counter[str]:
        """Find the entries that others have taken over, and cancel their handlers if wanted; see `Holder`."""
        lost = Counter[str]()
        for stream in self._streams:
            held = list(stream.tasks.values())
            doubtful = [entry for entry in held if not (entry.is_lost or self._lease.covers(entry))]
            gone = set(doubtful).difference(await self.owned(stream, doubtful))
            for task, entry in list(stream.tasks.items()):
                if entry in gone and not entry.is_ending:
                    entry.is_lost = True
                    lost[stream.title] += 1
                    if cancel:
                        task.cancel()
        return lost


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
