"""Watching a channel without becoming one of the listeners for which a durable channel keeps events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import cast

from daebus.connection.blocking_link import BlockingLink
from daebus.connection.find_server import find_server
from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.errors import Unavailable
from daebus.protocol.messages import channel_stream
from daebus.telemetry.logs import make_logger

__all__ = ["events", "events_at"]

_BLOCK_SECONDS = 5
_BATCH = 100

# What XREAD and XREVRANGE answer of one entry: its id, then names and values in turn.
_Entry = tuple[bytes, list[bytes]]


@asynccontextmanager
async def events(redis_url: str | None, channel: str, *, durable: bool) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The events of a channel, still encoded, from the time when the block is entered.

    Raises:
        ConfigurationError: The URL is wrong, or there is none and the embedded engine is not allowed.
        StartupError: The server cannot be reached.
    """
    async with (
        find_server(redis_url, make_logger(), start="in project") as server,
        open_node(server) as node,
        events_at(node, channel, durable=durable) as arriving,
    ):
        yield arriving


@asynccontextmanager
async def events_at(node: Node, channel: str, *, durable: bool) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The events of a channel, as `events` gives them, of the server of a process that is connected already.

    Raises `Unavailable` if the server cannot be reached.
    """
    if durable:
        key = channel_stream(channel)
        async with aclosing(_stored(node.server, key, await _last_id(node, key))) as stored:
            yield stored
        return
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    unsubscribe = await node.subscriber.subscribe(channel, arrived.put_nowait)
    try:
        yield _taken(arrived)
    finally:
        await unsubscribe()


async def _taken(arrived: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        yield await arrived.get()


async def _last_id(node: Node, key: str) -> bytes:
    entries = cast("list[_Entry]", await node.link.execute("XREVRANGE", key, "+", "-", "COUNT", 1))
    return entries[0][0] if entries else b"0-0"


async def _stored(server: RedisServer, key: str, last: bytes) -> AsyncGenerator[bytes]:
    link = BlockingLink(server, key, _BLOCK_SECONDS * 2)
    command = ("XREAD", "COUNT", _BATCH, "BLOCK", _BLOCK_SECONDS * 1000, "STREAMS", key)
    try:
        while True:
            try:
                found = await link.execute(*command, last)
            except Unavailable:  # the node's own connection logs it; this one retries after a pause
                continue
            for _, entries in cast("list[tuple[bytes, list[_Entry]]]", found or []):
                for entry_id, fields in entries:
                    last = entry_id
                    yield dict(zip(fields[::2], fields[1::2], strict=True)).get(b"event", b"null")
    finally:
        await link.close()
