"""Serving actions: the readers of their streams, in each partition of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from daebus.connection.node import Node
from daebus.delivery.delivery import Delivery
from daebus.delivery.grace import CUT_SECONDS, Grace
from daebus.protocol.limits import BusLimits
from daebus.protocol.messages import action_stream, control_channel, instance_registry
from daebus.queues.leases import Entry, Lease
from daebus.queues.reader import GroupReader
from daebus.queues.retries import GROUP, Origin, Retries
from daebus.queues.settler import Settler
from daebus.queues.streams import BoundedStream, alike_limits
from daebus.telemetry.logs import Logger

from .late import LateRequests
from .requests import RequestHandler, ServedAction, Shared
from .runs import Runs

__all__ = ["ActionServer", "ServedAction"]


class ActionServer:
    """Serves the actions of one service in this process.

    Args:
        node: This process.
        service: The service's name.
        actions: The actions to serve.
        lease: The heartbeat of this process.
        retries: For failed requests that want no reply, in each partition that is read.
        limits: The limits for requests and replies.
        logger: For errors.
    """

    def __init__(
        self,
        node: Node,
        service: str,
        actions: Sequence[ServedAction],
        *,
        lease: Lease,
        retries: Sequence[Retries],
        limits: BusLimits,
        logger: Logger,
    ) -> None:
        self._node = node
        self._service = service
        self._settler = Settler(lease, node.link, logger)
        self._runs = Runs()
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self._streams: list[BoundedStream] = []
        self._readers: list[GroupReader] = []
        shared = Shared(node, limits, self._settler, self._runs, LateRequests(logger), logger)
        deliveries = [(action, Delivery(action.endpoint, service, node.stopping, logger, "bus")) for action in actions]
        for number, each in enumerate(retries):
            streams: list[BoundedStream] = []
            for action, delivery in deliveries:
                key, registry = action_stream(each.partition, action.name), instance_registry(each.partition)
                origin = Origin(each.partition, ("action", action.name), key, GROUP, registry, key, action.policy)
                limit = max(1, (action.concurrency + number) // len(retries))
                handler = RequestHandler(action, delivery, origin, each, shared)
                slots = action.endpoint.slots
                streams.append(BoundedStream(key, delivery.title, limit, handler.handle, handler.alone, slots=slots))
            self._streams += streams
            registry = instance_registry(each.partition)
            for alike in alike_limits(streams):
                self._readers.append(GroupReader(node, GROUP, registry, lease, alike, self._settler, logger))

    async def start(self) -> None:
        """Start taking requests."""
        self._unsubscribe = await self._node.subscriber.subscribe(control_channel(self._service), self._runs.control)
        for reader in self._readers:
            await reader.start()

    async def quit(self) -> None:
        """Take no more requests; those in flight continue."""
        await asyncio.gather(*(reader.quit() for reader in self._readers))

    async def stop(self, grace: Grace) -> None:
        """Take no more requests; answer those in flight."""
        await asyncio.gather(*(reader.stop(grace) for reader in self._readers))
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.left_until(CUT_SECONDS)):
                await self._settler.drain()
        await self._settler.close()
        if self._unsubscribe is not None:
            await self._unsubscribe()

    def in_hand(self) -> list[tuple[str, Entry]]:
        """The unsettled entries with their streams: those that were read, and those that were cut off by the stop.

        May be called in any thread.
        """
        held = ((stream.key, entry) for stream in self._streams for entry in list(stream.tasks.values()))
        return [*self._runs.cut, *held]
