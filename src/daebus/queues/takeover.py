"""Taking over the entries of dead instances: finding the streams that have some, and starting them one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, cast

from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import Script
from daebus.errors import Unavailable
from daebus.telemetry.logs import Logger

from .lease_scripts import FIND, SCAN
from .leases import Entry, Lease
from .registries import News
from .sources import BLOCK_SECONDS
from .streams import BoundedStream
from .suspects import Turn

__all__ = ["Member", "Take", "TakeOver"]

_NAMES, _STREAMS = 16, 16  # in one script, so that it is short

# A read that blocks on a connection whose client is gone still takes an entry for it, for as long as it may block.
_SEARCHED_SECONDS = BLOCK_SECONDS + 7
_DOUBT_SECONDS = 6.0
# Between two looks at an instance that seems dead.
_PAUSE_SECONDS = 0.1
_LOOKS = 2
# The safety net: how often the service looks at all consumers of a stream, all its instances together.
_SCAN_SECONDS = 60.0


class Take(Protocol):
    """Starts to handle an entry that was taken over."""

    def __call__(self, stream: BoundedStream, entry: Entry, turn: Turn | None = None) -> None:
        """Start it; a suspect has a turn."""


class Member:
    """This instance, as a member of a consumer group.

    Args:
        node: This process.
        group: The name of the group.
        registry: The registry of the instances that read its streams.
        lease: The heartbeat of this process.
    """

    def __init__(self, node: Node, group: str, registry: str, lease: Lease) -> None:
        self.node = node
        self.group = group
        self.registry = registry
        self.lease = lease


class TakeOver:
    """Takes over the entries that dead instances own in some streams of a group.

    The replies to the heartbeats say which instances are dead. Only then are the streams searched, twice, after a pause
    each. An instance is taken for dead only if it is still dead then. The server may stall twice for less than half a
    lease each, and answer this instance between the stalls but not yet the other one. Between the looks it serves every
    connection that is ready, and so executes a heartbeat that waits there.

    Args:
        member: This instance.
        streams: The streams.
        take: Starts to handle an entry.
        free: Called with a stream that may be read again.
        doubt: Called when entries may have been taken over without an answer.
        logger: For what is taken over.
    """

    def __init__(
        self,
        member: Member,
        streams: Sequence[BoundedStream],
        take: Take,
        free: Callable[[BoundedStream], None],
        doubt: Callable[[], None],
        logger: Logger,
    ) -> None:
        self._member = member
        self._lease = member.lease
        self._streams = streams
        self._take = take
        self._free = free
        self._doubt = doubt
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._searched_at: dict[bytes, float] = {}
        self._dead: Sequence[bytes] = ()
        self._certain: Sequence[bytes] = ()
        self._living = 1
        self._has_news = False
        self._is_unsure = True
        self._tenure: int | None = None
        self._scanned_at, self._next = self._loop.time(), 0
        self._lease.suspects.when_free(self.wake)
        self._lease.registries.follow(member.registry, self._learn)

    def wake(self) -> None:
        """A slot or a turn has become free."""
        self._woken.set()

    async def run(self) -> None:
        """Take over, until it is cancelled."""
        tick = 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(tick):
                    await self._woken.wait()
            self._woken.clear()
            if self._has_news or self._loop.time() >= tick:
                self._has_news = False
                await self._search()
                tick = self._loop.time() + self._lease.seconds / 3
            for stream in sorted(self._streams, key=lambda stream: stream.last_turn):
                if stream.has_orphans and not stream.is_gone:
                    await self._look_after(stream)

    def _learn(self, news: News) -> None:
        self._living, self._dead = news.living, news.dead
        self._is_unsure = self._is_unsure or news.added
        if news.dead or news.added:
            self._has_news = True
            self._woken.set()

    async def _search(self) -> None:
        """Mark the streams in which dead instances own entries."""
        if not self._lease.may_take_over:
            return
        if self._tenure != self._lease.tenure:
            self._tenure, self._is_unsure = self._lease.tenure, True
        try:
            if self._is_unsure:
                self._is_unsure = False
                self._scanned_at = self._loop.time()
                await self._ask(SCAN, self._streams)
            await self._search_for_the_dead()
            await self._scan_one()
        except (Unavailable, CommandError) as error:
            self._is_unsure = True
            self._logger.debug("dead instances not searched for", group=self._member.group, reason=str(error))

    async def _search_for_the_dead(self) -> None:
        now, dead = self._loop.time(), self._dead
        new = any(name not in self._certain for name in dead)
        self._certain = [name for name in dead if name in self._certain]
        self._searched_at = {name: self._searched_at.get(name, now) for name in dead}
        names = [name for name in dead if now - self._searched_at[name] < _SEARCHED_SECONDS]
        for _ in range(_LOOKS if new else 1):
            if new:
                await asyncio.sleep(min(_PAUSE_SECONDS, self._lease.seconds / 10))
            for start in range(0, len(names), _NAMES):
                await self._ask(FIND, self._streams, names[start : start + _NAMES])
        self._certain = dead

    async def _scan_one(self) -> None:
        pause = max(_SCAN_SECONDS, self._lease.seconds) * self._living / len(self._streams)
        if self._loop.time() - self._scanned_at >= pause:
            self._scanned_at = self._loop.time()
            self._next = (self._next + 1) % len(self._streams)
            await self._ask(SCAN, [self._streams[self._next]])

    async def _ask(self, script: Script, streams: Sequence[BoundedStream], names: Sequence[bytes] = ()) -> None:
        member = self._member
        for start in range(0, len(streams), _STREAMS):
            page = streams[start : start + _STREAMS]
            keys = [member.registry, *(stream.key for stream in page)]
            arguments: list[Argument] = [member.group, member.node.id, int(self._lease.seconds * 1000), *names]
            for position in cast("list[int]", await member.node.link.script(script, keys, arguments)):
                if position < 0:
                    self._is_unsure = True
                else:
                    page[position].has_orphans = True

    async def _look_after(self, stream: BoundedStream) -> None:
        """Take over as many entries as there is room for."""
        stream.keeps_place = False
        if self._lease.may_take_over:
            if stream.room < 1:
                stream.keeps_place = True
            else:
                await self._take_from(stream)
        if stream.wanted:
            self._free(stream)

    async def _take_from(self, stream: BoundedStream) -> None:
        member, turn = self._member, self._lease.suspects.take()
        asked = (stream.key, member.registry, member.group, stream.room, self._certain)
        try:
            taken = await self._lease.take_over(*asked, suspects=turn is not None)
            stream.has_orphans = taken.left != 0
            member.node.counts.taken_over[stream.label] += len(taken.entries)
            for entry in taken.entries:
                self._logger.warning("entry of a dead instance taken over", stream=stream.key, entry=entry.id.decode())
                if entry.deliveries > 1:
                    if turn is not None:
                        turn.waiting, stream.last_turn = taken.left, self._loop.time()
                    self._take(stream, entry, turn)
                    turn = None  # it ends with the entry
                else:
                    self._take(stream, entry)
        except (Unavailable, CommandError) as error:
            self._doubt()  # it may have been taken over all the same
            if turn is not None:
                turn.begin(_DOUBT_SECONDS)  # also a suspect, which is taken up when the present read ends
                turn = None
            self._logger.debug("takeover failed", stream=stream.key, reason=str(error))
        finally:
            if turn is not None:
                turn.end()
