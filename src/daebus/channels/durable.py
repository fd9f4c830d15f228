"""The listeners of durable channels: each has its own consumer group, and retries the events on which it failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.connection.scripts import Script
from daebus.delivery.grace import Grace
from daebus.errors import ServiceError, Unavailable
from daebus.protocol.messages import channel_instances, channel_stream, gone_groups, instance_registry, listener_stream
from daebus.queues.leases import Entry, Lease
from daebus.queues.reader import GroupReader
from daebus.queues.retries import GROUP, Origin, Retries
from daebus.queues.settler import Settler
from daebus.queues.sources import Source
from daebus.queues.streams import BoundedStream
from daebus.queues.suspects import MAX_DELIVERIES, alone_seconds
from daebus.queues.work import Work
from daebus.telemetry.logs import Logger

from .changes import Changes, SharedSource
from .groups import Listener, Membership, Memberships
from .orphans import OrphanWatch

__all__ = ["DurableListeners", "ListenerHost", "listener_registry"]

# A channel is trimmed soon after one of its events was settled here. Now and then each is, because a replica may have
# died before it did so, or a listener that needed the entries was dropped.
_TRIM_ALL_SECONDS = 60.0

# Connections of all listeners of an instance. A listener with its own connection blocks on it: an event goes to one
# replica, at once. Where listeners share one, an event wakes every replica, and the replicas ask for it.
_CONNECTIONS = 2

# Everything before the oldest entry that any group still needs is trimmed: a pending entry, or one not yet delivered.
# ARGV[1] is a time, in ms: younger entries are kept for those who follow the channel.
_TRIM = Script(
    """
    local oldest = nil
    for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
        local name, last = g[2], nil
        for i = 1, #g, 2 do if g[i] == 'last-delivered-id' then last = g[i + 1] end end
        local pending = redis.call('XPENDING', KEYS[1], name)
        local needs = last
        if pending[1] > 0 then needs = pending[2] end
        local ms, n = string.match(needs, '(%d+)-(%d+)')
        local at = {tonumber(ms), tonumber(n), needs}
        if oldest == nil or at[1] < oldest[1] or (at[1] == oldest[1] and at[2] < oldest[2]) then oldest = at end
    end
    if oldest and oldest[1] > tonumber(ARGV[1]) then oldest = {0, 0, ARGV[1]} end
    if oldest then return redis.call('XTRIM', KEYS[1], 'MINID', oldest[3]) end
    return 0
    """
)

Handle = Callable[[Listener, Entry], Awaitable[ServiceError | None]]


def listener_registry(node: Node, service: str, channel: str) -> str:
    """The registry for the heartbeats of the instances of a service that have listeners of a durable channel.

    It is in the hash slot of the channel's stream. A single server has no slots: there it is the registry of the
    service, so that an instance sends the same few heartbeats, however many channels it listens to.
    """
    return channel_instances(channel) if node.server.is_cluster else instance_registry(service)


class ListenerHost(msgspec.Struct, frozen=True):
    """The objects that all listeners of one service in this process share.

    Attributes:
        node: This process.
        service: The service's name.
        lease: The heartbeat of this process.
        retries: For durable events whose handler fails.
        logger: For errors.
    """

    node: Node
    service: str
    lease: Lease
    retries: Retries
    logger: Logger


class DurableListeners:
    """Delivers the events of durable channels to the listeners of one service in this process.

    Args:
        host: The objects that the listeners share.
        listeners: The listeners.
        settler: Settles handled events.
        handle: Passes an event to its listener; returns the error if that failed.
    """

    def __init__(self, host: ListenerHost, listeners: Sequence[Listener], settler: Settler, handle: Handle) -> None:
        self._host = host
        self._settler = settler
        self._handle = handle
        self._keep: dict[str, float] = {}
        for listener in listeners:
            self._keep[listener.channel] = max(listener.keep, self._keep.get(listener.channel, 0.0))
        self._channels = sorted(self._keep)
        self._to_trim: set[str] = set()
        self._memberships = Memberships(host.node, host.service, listeners, host.logger)
        self._orphans = OrphanWatch(host.node, host.service, host.logger)
        self._changes: Changes | None = None
        self._readers: list[GroupReader] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Join the consumer groups, and start receiving events. Raises the errors of `Memberships.join`."""
        await self._begin(await self._memberships.join())
        if self._channels:
            self._tasks.append(asyncio.create_task(self._trim_on(), name="trimming of durable channels"))
        await self._orphans.start()

    async def quit(self) -> None:
        """Take no more events; those in flight continue."""
        await self._orphans.stop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(reader.quit() for reader in self._readers))

    async def stop(self, grace: Grace) -> None:
        """Stop receiving; finish the events in flight."""
        await self.quit()
        await asyncio.gather(*(reader.stop(grace) for reader in self._readers))
        if self._changes is not None:
            await self._changes.close()
        await self._memberships.leave()

    async def _begin(self, memberships: Sequence[Membership]) -> None:
        changes = await self._share() if len(memberships) > _CONNECTIONS else None
        own = len(memberships) if changes is None else _CONNECTIONS - 1
        readers = [self._reader(membership, None) for membership in memberships[:own]]
        readers += [self._reader(membership, changes) for membership in memberships[own:]]
        if memberships:
            registry = instance_registry(self._host.service)
            streams = [
                self._bounded(membership, self._again(membership), GROUP, registry) for membership in memberships
            ]
            readers.append(self._group_reader(GROUP, registry, streams))
        for reader in readers:
            self._readers.append(reader)
            await reader.start()

    async def _share(self) -> Changes | None:
        """Open the connection that listeners share, if the server allows it."""
        changes = Changes(self._host.node)
        try:
            await changes.start()
        except CommandError as error:
            many = "each durable listener has a connection of its own: the server does not report changes of streams"
            self._host.logger.warning(many, reason=str(error))
            return None
        self._changes = changes
        return changes

    def _again(self, membership: Membership) -> str:
        return listener_stream(self._host.service, membership.listener.channel, membership.key)

    def _reader(self, membership: Membership, changes: Changes | None) -> GroupReader:
        channel = membership.listener.channel
        registry = listener_registry(self._host.node, self._host.service, channel)
        streams = [self._bounded(membership, channel_stream(channel), membership.group, registry)]
        source = None if changes is None else SharedSource(changes)
        return self._group_reader(membership.group, registry, streams, source)

    def _group_reader(
        self, group: str, registry: str, streams: Sequence[BoundedStream], source: Source | None = None
    ) -> GroupReader:
        host = self._host
        return GroupReader(host.node, group, registry, host.lease, streams, self._settler, host.logger, source)

    def _bounded(self, membership: Membership, key: str, group: str, registry: str) -> BoundedStream:
        listener = membership.listener
        names = ("channel", listener.channel, "listener", listener.name)
        origin = Origin(self._host.service, names, key, group, registry, self._again(membership), listener.policy)

        async def handle(entry: Entry, _: asyncio.Task[None]) -> None:
            work = Work(entry, origin, self._settler, self._host.retries)
            if entry.deliveries > 1 and not await work.begin():
                return
            problem = await self._handle(listener, entry)
            await (work.done() if problem is None else work.failed(problem))
            self._to_trim.add(listener.channel)

        gone = None if key == origin.again else gone_groups(listener.channel)
        endpoint = listener.endpoint
        stream = BoundedStream(key, endpoint.title, listener.concurrency, handle, _alone, gone, endpoint.slots)
        stream.label = origin.title
        return stream

    async def _trim_on(self) -> None:
        all_again = time.monotonic()
        while True:
            await asyncio.sleep(self._host.node.timings.trim)
            if time.monotonic() >= all_again:
                self._to_trim.update(self._channels)
                all_again = time.monotonic() + _TRIM_ALL_SECONDS
            for channel in sorted(self._to_trim):
                self._to_trim.discard(channel)
                try:
                    kept = self._host.node.clock.now() - int(self._keep[channel] * 1000)
                    await self._host.node.link.script(_TRIM, [channel_stream(channel)], [kept])
                except (Unavailable, CommandError):
                    self._to_trim.add(channel)


def _alone(entry: Entry, _: int) -> float:
    return alone_seconds(MAX_DELIVERIES - entry.deliveries)
