"""The reader of streams, a member of a consumer group: it takes no more entries than can be handled at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from operator import attrgetter
from typing import cast

from daebus.connection.node import Node
from daebus.connection.resp import CommandError, is_busy_group, is_missing_group
from daebus.connection.scripts import EVEN_WHEN_FULL, Script
from daebus.core.slots import Slot, Slots, held_slot
from daebus.delivery.grace import Grace
from daebus.errors import Unavailable
from daebus.protocol.fences import fence_counter
from daebus.telemetry.logs import Logger

from .lease_scripts import LEAVE
from .leases import Entry, Lease
from .settler import Settler
from .sources import OwnConnection, Source
from .streams import BatchSize, BoundedStream, HeldEntries, Task
from .suspects import Turn
from .takeover import Member, TakeOver
from .undelivered import Owned, Undelivered

__all__ = ["GroupReader"]

_REFUSED_SECONDS = 1.0

_key_of: Callable[[BoundedStream], str] = attrgetter("key")


# Answers 0 if the group was removed on purpose, so it was not lost. KEYS are the stream, and the sorted set of the
# groups that are gone; ARGV is the group.
_MAKE_GROUP = Script(
    EVEN_WHEN_FULL
    + """
    if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
    redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
    return 1
    """
)


class GroupReader:
    """The reader of some streams for one consumer group.

    Args:
        node: This process.
        group: The name of the group, on each of the streams.
        registry: The sorted set for the heartbeats of the instances that read these streams.
        lease: The heartbeat of this process.
        streams: The streams. A full one is left out of the next read, so that it does not starve the others.
        settler: Settles the entries of the handlers.
        logger: For errors.
        source: Where new entries come from; None: a connection of its own.
    """

    def __init__(
        self,
        node: Node,
        group: str,
        registry: str,
        lease: Lease,
        streams: Sequence[BoundedStream],
        settler: Settler,
        logger: Logger,
        source: Source | None = None,
    ) -> None:
        self._node = node
        self._loop = asyncio.get_running_loop()
        self._settler = settler
        self._batch = BatchSize(min(stream.limit for stream in streams))
        self._undelivered = Undelivered(node, group, fence_counter(registry))
        self._refused = ""
        self._group = group
        self._registry = registry
        self._lease = lease
        self._streams = {stream.key.encode(): stream for stream in streams}
        for slots in {stream.slots for stream in streams if stream.slots is not None}:
            slots.watch(self._stop_lanes, self._open_lanes)
        self._logger = logger
        self._source = source or OwnConnection(node, streams[0].key)
        self._reading: frozenset[BoundedStream] = frozenset()
        self._freed = asyncio.Event()
        self._interrupting: Task | None = None
        self._stopping = self._is_over = False
        self._task: Task | None = None
        self._taking_over: Task | None = None
        member = Member(node, group, registry, lease)
        self._take_over = TakeOver(member, streams, self._take, self._free, self._undelivered.broke, logger)
        self._held = HeldEntries(group, registry, lease, streams)
        lease.lapses.watch(self._held)

    async def start(self) -> None:
        """Create missing groups, and start reading."""
        await self._make_groups()
        self._task = asyncio.create_task(self._read_on(), name=f"reader of {self._group}")
        self._taking_over = asyncio.create_task(self._take_over.run(), name=f"takeover of {self._group}")

    async def quit(self) -> None:
        """Stop reading and taking over; entries in flight continue."""
        self._stopping = True
        self._freed.set()
        if self._task is not None and self._taking_over is not None:
            self._taking_over.cancel()
            await self._source.interrupt()
            await asyncio.wait({self._task, self._taking_over})

    async def stop(self, grace: Grace) -> None:
        """Stop reading; finish the entries in flight."""
        await self.quit()
        await self._source.close()
        await grace.end({task for stream in self._streams.values() for task in stream.tasks})
        await self._leave_groups()

    async def _leave_groups(self) -> None:
        self._held.doubt()  # handlers that have not ended, although they were cancelled: their entries are returned
        try:
            left = await self._node.link.script(LEAVE, list(self._streams), [self._group, self._node.id])
        except (Unavailable, CommandError) as error:
            left = 1  # perhaps
            self._logger.debug("consumer not removed", group=self._group, reason=str(error))
        if left:
            self._lease.registries.leaving.add(self._registry)

    async def _make_groups(self) -> None:
        for stream in self._streams.values():
            try:
                if stream.gone is None:
                    await self._node.link.execute("XGROUP", "CREATE", stream.key, self._group, "0", "MKSTREAM")
                elif await self._node.link.script(_MAKE_GROUP, [stream.key, stream.gone], [self._group]) == 0:
                    self._end(stream)
            except CommandError as error:
                if not is_busy_group(error):
                    raise

    def _end(self, stream: BoundedStream) -> None:
        stream.is_gone = True
        self._is_over = all(stream.is_gone for stream in self._streams.values())
        lost = "listener dropped or handed over while this instance was disconnected: no events until it restarts"
        self._logger.error(lost, stream=stream.key, group=self._group)

    async def _read_on(self) -> None:
        while not (self._stopping or self._is_over):
            try:
                if self._undelivered.is_due:
                    await self._take_up()
                await self._read_once()
            except Unavailable as error:
                self._undelivered.broke()
                self._logger.debug("reading paused", group=self._group, reason=str(error))
            except CommandError as error:
                await self._recover(error)

    async def _recover(self, error: CommandError) -> None:
        if is_missing_group(error):
            try:
                await self._make_groups()
            except Unavailable:  # the next read tells how it goes on
                return
            except CommandError as again:
                error = again
            else:
                if not self._is_over:
                    self._logger.warning("consumer group was lost and is created again", group=self._group)
                    self._node.suspect_loss()
                return
        if self._refused != str(error):
            self._refused = str(error)
            self._logger.error("stream cannot be read", group=self._group, reason=self._refused)
        await asyncio.sleep(_REFUSED_SECONDS)

    async def _read_once(self) -> None:
        streams: list[BoundedStream] = []
        size = count = self._batch.entries
        for stream in self._streams.values():
            if wanted := stream.wanted:
                streams.append(stream)
                count = min(count, wanted)
        if not streams:
            self._freed.clear()
            await self._freed.wait()
            return
        self._reading = frozenset(streams)
        tenure = self._lease.tenure
        try:
            batch = await self._source.read(self._group, self._node.id, count, list(map(_key_of, streams)))
        finally:
            self._reading = frozenset()
        self._refused = ""
        most = 0
        for key, entries in batch:
            most = max(most, len(entries))
            for entry_id, fields in entries:
                self._take(self._streams[key], Entry(entry_id, fields or [], 1, 0, tenure))
        if count == size:
            self._batch.learn(most)

    async def _take_up(self) -> None:
        """Take the entries of this instance that never arrived."""
        for stream in self._streams.values():
            async with aclosing(self._undelivered.pages(stream.key)) as pages:
                async for page in pages:
                    await self._take_missing(stream, page)
        self._undelivered.done()

    async def _take_missing(self, stream: BoundedStream, owned: Sequence[Owned]) -> None:
        unsettled = self._settler.unsettled(stream.key, self._group)
        in_hand = {(entry.id, entry.deliveries) for entry in (*stream.tasks.values(), *unsettled)}
        for entry_id, fields, deliveries, drawn in owned:
            if fields is None:
                await self._node.link.execute("XACK", stream.key, self._group, entry_id)
            elif (entry_id, deliveries) not in in_hand:
                self._logger.info("entry taken up again", stream=stream.key, entry=entry_id.decode())
                self._take(stream, Entry(entry_id, fields, deliveries, drawn))

    def _take(self, stream: BoundedStream, entry: Entry, turn: Turn | None = None) -> None:
        # It is named, as making up a name takes a tenth of the time of a short message.
        stream.tasks[self._loop.create_task(self._handle(stream, entry, turn), name=stream.key)] = entry

    async def _handle(self, stream: BoundedStream, entry: Entry, turn: Turn | None) -> None:
        task, slot = cast("Task", asyncio.current_task()), None
        try:
            if turn is None and entry.deliveries > 1:  # taken over by a question whose answer was lost
                turn = await self._lease.suspects.turn()
            if stream.slots is not None and (slot := await self._thread_for(stream, stream.slots, entry)) is None:
                return
            tenure = entry.tenure
            if (tenure is not None and tenure == self._lease.tenure) or await self._held.owned(stream, [entry]):
                if turn is not None:
                    turn.begin(stream.alone(entry, turn.waiting))
                await stream.handle(entry, task)
        finally:
            if slot is not None:
                slot.leave()
            if turn is not None:
                stream.keeps_place = stream.has_orphans  # its slot goes to the next one
                turn.end()
            stream.tasks.pop(task, None)
            if stream.keeps_place:
                self._take_over.wake()
            if stream not in self._reading and stream.wanted:
                self._free(stream)

    async def _thread_for(self, stream: BoundedStream, slots: Slots, entry: Entry) -> Slot | None:
        """A thread for the handler of an entry. None: there is none, and the entry was given back."""
        if (slot := await slots.while_free()) is None:
            await self._held.give_back(stream, entry)
        else:
            held_slot.set(slot)
        return slot

    def _stop_lanes(self) -> None:
        """All threads are held: read no more entries of the streams whose handlers need one."""
        if any(stream.is_held for stream in self._reading):
            self._read_anew()

    def _open_lanes(self) -> None:
        """A thread is free again."""
        self._take_over.wake()
        for stream in self._streams.values():
            if stream.wanted:
                self._free(stream)

    def _free(self, stream: BoundedStream) -> None:
        """A stream has room again: make sure that it is read."""
        self._freed.set()
        if self._reading and stream not in self._reading:
            self._read_anew()

    def _read_anew(self) -> None:
        """End the read that waits, so that the next one asks for the right streams."""
        if not self._stopping and self._interrupting is None:
            self._interrupting = asyncio.create_task(self._interrupt())

    async def _interrupt(self) -> None:
        await self._source.interrupt()
        self._interrupting = None
