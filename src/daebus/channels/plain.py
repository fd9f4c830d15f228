"""The listeners of plain channels, whose events reach every replica."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias, cast

from daebus.connection.node import Node
from daebus.delivery.grace import Grace
from daebus.protocol.headers import EventHeaders, event_headers
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

from .groups import Listener
from .headers_ahead import HeadersAhead

__all__ = ["PlainListener"]

_MAX_WAITING = 10_000
_MAX_WAITING_SIZE = 67_108_864

Handle: TypeAlias = Callable[[Listener, bytes, None, EventHeaders | None], Awaitable[object]]

_Event: TypeAlias = tuple[bytes, EventHeaders | None]


class PlainListener:
    """A listener of a plain channel: a few events are handled at once, started in order, while others wait.

    Args:
        listener: The listener.
        handle: Passes an event to it, with the event's headers, if any.
        logger: For lost events.
    """

    def __init__(self, listener: Listener, handle: Handle, logger: Logger) -> None:
        self._listener = listener
        self._hand_over = handle
        self._logger = logger
        self._ahead = HeadersAhead()
        self._waiting: deque[_Event] = deque()
        self._waiting_size = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsubscribe: list[Callable[[], Awaitable[None]]] = []
        self._lost = Tally()

    async def start(self, node: Node) -> None:
        """Start receiving events."""
        channel, subscriber = self._listener.channel, node.subscriber
        self._unsubscribe.append(await subscriber.subscribe(channel, self._receive))
        self._unsubscribe.append(await subscriber.subscribe(event_headers(channel), self._ahead.receive))

    async def stop(self, grace: Grace) -> None:
        """Stop receiving; finish the events in flight."""
        for unsubscribe in self._unsubscribe:
            await unsubscribe()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.left):
                while self._tasks:  # each starts a waiting event when it ends
                    await asyncio.wait(set(self._tasks))
        self._waiting.clear()
        await grace.end(set(self._tasks))

    def _receive(self, message: bytes) -> None:
        event = (message, self._ahead.take(message) if self._ahead.arrived else None)
        if len(self._tasks) < self._listener.concurrency:
            self._begin(event)
        elif len(self._waiting) < _MAX_WAITING and self._waiting_size + len(message) <= _MAX_WAITING_SIZE:
            self._waiting.append(event)
            self._waiting_size += len(message)
        else:
            self._lose()

    def _begin(self, event: _Event) -> None:
        self._tasks.add(asyncio.create_task(self._handle(event), name=self._listener.name))

    async def _handle(self, event: _Event) -> None:
        try:
            await self._hand_over(self._listener, event[0], None, event[1])
        finally:
            self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            if self._waiting:
                following = self._waiting.popleft()
                self._waiting_size -= len(following[0])
                self._begin(following)

    def _lose(self) -> None:
        if self._lost.add():
            self._logger.error(
                "events lost: the listener is too slow",
                channel=self._listener.channel,
                handler=self._listener.endpoint.title,
                lost=self._lost.count,
            )
