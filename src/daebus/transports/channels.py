"""Listening to channels: pub/sub, which every replica hears, and durable ones, which one replica handles."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

import msgspec

from daebus.core.codec import UnknownTag
from daebus.core.context import Context
from daebus.core.errors import ServiceError, Timeout, Unavailable
from daebus.core.logs import Logger
from daebus.core.messages import channel_instances, channel_stream, instance_registry, listener_stream
from daebus.core.policies import Policy
from daebus.wiring.dispatch import dispatch
from daebus.wiring.endpoints import Endpoint, Incoming

from .failures import failure
from .lanes import Lane
from .leases import Entry, Lease
from .limits import Limits
from .node import Node
from .resp import CommandError
from .retries import GROUP, MAX_DELIVERIES, Origin, Retries
from .scripts import Script
from .settling import Settler
from .streams import GroupReader
from .tallies import Tally

__all__ = ["ChannelServer", "Listener"]

_MAX_WAITING = 10_000
_MAX_WAITING_SIZE = 67_108_864
_TRIM_SECONDS = 10.0

_LONGEST_REASON = 200
_MOST_TAGS = 1000

# Everything before the oldest entry that any group still needs goes: delivered and pending, or not yet delivered.
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
    if oldest then return redis.call('XTRIM', KEYS[1], 'MINID', oldest[3]) end
    return 0
    """
)


class Listener(msgspec.Struct, frozen=True):
    """A handler of events.

    Attributes:
        channel: The channel's name.
        durable: Whether the channel keeps its events.
        name: Tells the listener from the others of its service, also after a restart.
        endpoint: The handler.
        concurrency: How many events are handled at once; as many again of those that failed before.
        policy: How often, how soon and for how long it is tried.
    """

    channel: str
    durable: bool
    name: str
    endpoint: Endpoint[None]
    concurrency: int
    policy: Policy


class ChannelServer:
    """Hands events to the listeners of one service in this process.

    Args:
        node: This process.
        service: The service's name.
        listeners: Who listens.
        lease: The heartbeat of this process.
        retries: For durable events whose handler fails.
        limits: How large an event may be.
        logger: For what goes wrong.
    """

    def __init__(
        self,
        node: Node,
        service: str,
        listeners: Sequence[Listener],
        *,
        lease: Lease,
        retries: Retries,
        limits: Limits,
        logger: Logger,
    ) -> None:
        self._node = node
        self._limits = limits
        self._lease = lease
        self._service = service
        self._retries = retries
        self._settler = Settler(node.link, logger)
        self.logger = logger
        self._skipped: dict[tuple[str, str, str], Tally] = {}
        self._live = [_LiveListener(self, listener) for listener in listeners if not listener.durable]
        self._durable = [listener for listener in listeners if listener.durable]
        self._readers = [self._reader(listener) for listener in self._durable]
        if self._durable:
            lanes = [self._lane(listener, self._again(listener), GROUP) for listener in self._durable]
            registry = instance_registry(service)
            self._readers.append(GroupReader(node, GROUP, registry, lease, lanes, self._settler, logger))
        self._trimming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Hear events from now on."""
        for live in self._live:
            await live.start(self._node)
        for reader in self._readers:
            await reader.start()
        if self._durable:
            self._trimming = asyncio.create_task(self._trim(), name="trimming of durable channels")

    async def stop(self, grace: float) -> None:
        """Hear no more; finish the events in hand, within `grace` seconds."""
        if self._trimming is not None:
            self._trimming.cancel()
        await asyncio.gather(
            *(live.stop(grace) for live in self._live), *(reader.stop(grace) for reader in self._readers)
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._settler.drain()

    async def handle(self, listener: Listener, body: bytes, request_id: str = "") -> ServiceError | None:
        """Hand one event to its listener; the error, logged already, where that failed."""
        limit = listener.policy.timeout
        context = Context(
            request_id=request_id or self._node.new_request_id(),
            service=self._service,
            handler=listener.endpoint.title,
            deadline=None if limit is None else time.monotonic() + limit,
            stopping=self._node.stopping,
        )
        incoming = Incoming(context, body=body)
        try:
            self._limits.check_size(body)
            await (dispatch(listener.endpoint, incoming) if limit is None else _run(listener, incoming, limit))
        except UnknownTag as error:
            self._skip(listener, error.message[:_LONGEST_REASON])
        except Exception as error:
            problem = failure(error, listener.endpoint, incoming, self.logger)
            if problem is error:
                self.logger.error("event not handled", channel=listener.channel, reason=problem.message)
            return problem
        return None

    def _skip(self, listener: Listener, reason: str) -> None:
        """Tell of an event that nobody handles: the listener does not know its tag, maybe that of a newer publisher."""
        key = (listener.channel, listener.name, reason)
        if key not in self._skipped and len(self._skipped) >= _MOST_TAGS:
            key = (listener.channel, listener.name, "")  # tags are what anybody sends
        tally = self._skipped.setdefault(key, Tally())
        if tally.add():
            self.logger.warning(
                "event of an unknown kind skipped",
                channel=listener.channel,
                handler=listener.endpoint.title,
                reason=reason,
                skipped=tally.count,
            )

    def _again(self, listener: Listener) -> str:
        return listener_stream(self._service, listener.channel, listener.name)

    def _reader(self, listener: Listener) -> GroupReader:
        group, registry = f"{self._service}:{listener.name}", channel_instances(listener.channel)
        lanes = [self._lane(listener, channel_stream(listener.channel), group)]
        return GroupReader(self._node, group, registry, self._lease, lanes, self._settler, self.logger)

    def _lane(self, listener: Listener, key: str, group: str) -> Lane:
        handler = ("channel", listener.channel, "listener", listener.name)
        origin = Origin(self._service, handler, key, group, self._again(listener), listener.policy)
        is_own = key == origin.again  # a channel's stream is read by others too, and trimmed

        async def handle(entry: Entry, _: asyncio.Task[None]) -> None:
            request_id = (entry.get(b"trace_id") or b"").decode(errors="replace")
            if entry.deliveries > MAX_DELIVERIES:
                await self._retries.give_up(origin, entry, MAX_DELIVERIES, request_id)
                return
            problem = await self.handle(listener, entry.get(b"event") or b"", request_id)
            if problem is None:
                self._settler.settle(key, group, entry.id, delete=is_own)
            else:
                await self._retries.failed(origin, entry, problem, request_id)

        return Lane(key, listener.concurrency, handle, lambda _: MAX_DELIVERIES)

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_SECONDS)
            for channel in {listener.channel for listener in self._durable}:
                with suppress(Unavailable, CommandError):  # the next round does it
                    await self._node.link.script(_TRIM, [channel_stream(channel)], [])


async def _run(listener: Listener, incoming: Incoming, seconds: float) -> None:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await dispatch(listener.endpoint, incoming)
    except TimeoutError:
        if limit.expired():
            raise Timeout(f"{listener.endpoint.title} did not finish in {seconds:g} s") from None
        raise


class _LiveListener:
    """A listener on pub/sub: a few events are handled at once, begun in order, while others wait in line."""

    def __init__(self, server: ChannelServer, listener: Listener) -> None:
        self._server = server
        self._listener = listener
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self._lost = Tally()

    async def start(self, node: Node) -> None:
        self._unsubscribe = await node.subscriber.subscribe(self._listener.channel, self._receive)

    async def stop(self, grace: float) -> None:
        if self._unsubscribe is not None:
            await self._unsubscribe()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._tasks:  # each begins one of those that wait when it ends
                    await asyncio.wait(set(self._tasks))
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _receive(self, message: bytes) -> None:
        if len(self._tasks) < self._listener.concurrency:
            self._begin(message)
        elif len(self._waiting) < _MAX_WAITING and self._waiting_size + len(message) <= _MAX_WAITING_SIZE:
            self._waiting.append(message)
            self._waiting_size += len(message)
        else:
            self._lose()

    def _begin(self, message: bytes) -> None:
        self._tasks.add(asyncio.create_task(self._handle(message), name=self._listener.name))

    async def _handle(self, message: bytes) -> None:
        try:
            await self._server.handle(self._listener, message)
        finally:
            self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            if self._waiting:
                following = self._waiting.popleft()
                self._waiting_size -= len(following)
                self._begin(following)

    def _lose(self) -> None:
        if self._lost.add():
            self._server.logger.error(
                "events lost: the listener is too slow",
                channel=self._listener.channel,
                handler=self._listener.endpoint.title,
                lost=self._lost.count,
            )
