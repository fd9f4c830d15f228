"""Channels for the page: which there are, and their events as they come, a bounded number at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
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


async def tail(node: Node, channel: str, *, durable: bool, is_closed: Callable[[], bool]) -> AsyncGenerator[bytes]:
    """The events of a channel in batches, from now on; an empty batch if there are none for a while."""
    kept: deque[_Event] = deque(maxlen=_MOST_AT_ONCE)
    seen = told = 0
    try:
        async with events_at(node, channel, durable=durable) as arriving:
            yield encode(_Batch([], 0))

            async def keep(events: AsyncIterator[bytes]) -> None:
                nonlocal seen
                async for body in events:
                    seen += 1
                    text = body[:_MOST_SHOWN].decode(errors="replace")
                    kept.append(_Event(node.clock.now(), text, len(body)))

            keeping, silent = asyncio.create_task(keep(arriving), name=f"tail of {channel}"), time.monotonic()
            try:
                while not is_closed() and not keeping.done():
                    await asyncio.sleep(_PAUSE)
                    if kept or time.monotonic() - silent > _PING_SECONDS:
                        batch, silent = list(kept), time.monotonic()
                        kept.clear()
                        missed, told = seen - told - len(batch), seen
                        yield encode(_Batch(batch, missed))
            finally:
                keeping.cancel()
                await asyncio.wait({keeping})
    except (Unavailable, CommandError) as error:
        yield encode(_Batch([], 0, str(error)))
