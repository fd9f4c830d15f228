"""The limits of a reader: how many entries of each stream are handled at once, and how many come with one read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from .leases import Entry

__all__ = ["BatchSize", "BoundedStream", "Task"]

_SMALLEST = 4
_LARGEST = 64
_STREAK = 8

Task = asyncio.Task[None]

Handle = Callable[[Entry, Task], Coroutine[object, object, None]]

Alone = Callable[[Entry, int], float]


class BoundedStream:
    """A stream of which a limited number of entries is handled at once.

    Args:
        key: The stream.
        limit: How many entries are handled at once.
        handle: Handles one entry, in the task that it is given, and settles it; raises only when it is cancelled.
        alone: For how many seconds no other suspect is begun beside an entry that is one, with so many that wait.
        gone: The sorted set of the groups of the stream that somebody has removed; None: nobody does that.

    Attributes:
        tasks: Those that handle an entry.
        keeps_place: Whether the next place that becomes free is kept for an entry of a dead instance.
        last_turn: When a suspect of it was begun last, by the clock of the event loop.
        is_gone: Whether somebody has removed its group.
        has_orphans: Whether the dead may have more for it: it is looked at as soon as there is a place and a turn.
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
        """How many more entries may be handled."""
        return self.limit - len(self.tasks)

    @property
    def wanted(self) -> int:
        """How many more entries to read; 0 also where there is little room, which would make every read a small one."""
        free = self.limit - len(self.tasks) - self.keeps_place
        return free if free * 4 >= self.limit else 0


class BatchSize:
    """How many entries of a stream are read at once: about half of the requests that are under way.

    Had one read all of them, callers, server and service would wait for each other in turn; with half of them, the one
    half is handled while the other is on its way. And the larger a batch, the less each entry in it costs. Nobody says
    how many are under way, but reads tell: as long as more is waiting they are full.

    Args:
        limit: How many are handled at once; half of that is read at most.

    Attributes:
        entries: How many to ask for now.
    """

    def __init__(self, limit: int) -> None:
        self._largest = max(1, min(_LARGEST, limit // 2))
        self._smallest = min(_SMALLEST, self._largest)
        self.entries: int = self._smallest
        self._full = self._short = 0

    def learn(self, got: int) -> None:
        """Take into account how many entries a read for so many has brought."""
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
