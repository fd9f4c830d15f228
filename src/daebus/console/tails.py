"""Channels for the page: which there are, and their events as they come, a bounded number at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import Unavailable
from daebus.operations.watching import events_at
from daebus.payloads.codec import encode
from daebus.protocol.discovery import SERVICES
from daebus.protocol.messages import listened_channels

__all__ = ["known_channels", "tail"]

_PAUSE = 0.25
_MOST_AT_ONCE = 200
"""Events in a batch; of more, the newest are shown, and the others are counted."""

_MOST_SHOWN = 8_192
_PING_SECONDS = 15.0
_OWN = "daebus:"


class _Channel(msgspec.Struct, frozen=True, order=True):
    channel: str
    durable: bool


class _Event(msgspec.Struct, frozen=True):
    at: int
    text: str
    size: int


class _Batch(msgspec.Struct, frozen=True):
    events: list[_Event]
    missed: int
    problem: str | None = None


async def known_channels(node: Node) -> bytes:
    """The channels that have, or had, a listener; of plain ones, those that somebody listens to now."""
    services = cast("list[bytes]", await node.link.execute("ZRANGE", SERVICES, 0, -1))
    kept = await asyncio.gather(
        *(node.link.execute("ZRANGE", listened_channels(name.decode()), 0, -1) for name in services)
    )
    found = {_Channel(name.decode(), durable=True) for names in kept for name in cast("list[bytes]", names)}
    try:
        heard = cast("list[bytes]", await node.link.execute("PUBSUB", "CHANNELS"))
    except CommandError:  # the user may not ask
        heard = []
    names = {name.decode(errors="replace") for name in heard}
    found |= {_Channel(name, durable=False) for name in names if not name.startswith(_OWN)}
    return encode(sorted(found))


class _Kept:
    """The newest events of a channel that no page was told yet."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._events: deque[_Event] = deque(maxlen=_MOST_AT_ONCE)
        self._seen = self._told = 0
        self.is_open = asyncio.Event()

    async def keep(self, channel: str, *, durable: bool) -> None:
        """Keep what comes, until this is cancelled."""
        async with events_at(self._node, channel, durable=durable) as arriving:
            self.is_open.set()
            async for body in arriving:
                self._seen += 1
                text = body[:_MOST_SHOWN].decode(errors="replace")
                self._events.append(_Event(self._node.clock.now(), text, len(body)))

    def take(self) -> _Batch | None:
        """The events since the last time; None: there are none."""
        if not self._events:
            return None
        events = list(self._events)
        self._events.clear()
        missed, self._told = self._seen - self._told - len(events), self._seen
        return _Batch(events, missed)


async def tail(node: Node, channel: str, *, durable: bool, is_closed: Callable[[], bool]) -> AsyncGenerator[bytes]:
    """The events of a channel in batches, from now on; an empty batch if there are none for a while."""
    kept = _Kept(node)
    # In a task of its own, which alone opens and closes: a page that leaves interrupts this at any point.
    keeping = asyncio.create_task(kept.keep(channel, durable=durable), name=f"tail of {channel}")
    opening = asyncio.create_task(kept.is_open.wait())
    try:
        await asyncio.wait({keeping, opening}, return_when=asyncio.FIRST_COMPLETED)
        told = float("-inf")  # the first batch says that the tail has begun
        while not is_closed() and not keeping.done():
            batch = kept.take()
            if batch is not None or time.monotonic() - told > _PING_SECONDS:
                told = time.monotonic()
                yield encode(batch or _Batch([], 0))
            await asyncio.sleep(_PAUSE)
        if keeping.done() and (error := keeping.exception()) is not None:
            if not isinstance(error, Unavailable | CommandError):
                raise error
            yield encode(_Batch([], 0, str(error)))
    finally:
        opening.cancel()
        keeping.cancel()
