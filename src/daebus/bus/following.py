"""`FollowingBus`: durable channels read from a position on, without a listener: nothing is acknowledged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from daebus.connection.resp import CommandError
from daebus.connection.scripts import Script
from daebus.core.pauses import pauses
from daebus.declare.contracts import Channel
from daebus.errors import BadRequest, ConfigurationError, Gone, Unavailable
from daebus.payloads.codec import Decoder, UnknownTag, compile_event_decoder
from daebus.payloads.encodable import Encodable
from daebus.protocol.messages import channel_stream
from daebus.telemetry.logs import make_logger

from .open_bus import OpenBus

if TYPE_CHECKING:
    from daebus.connection.node import Node

__all__ = ["Followed", "FollowingBus"]

Event = TypeVar("Event", bound=Encodable)
Event_co = TypeVar("Event_co", covariant=True)

_COUNT = 100
_BLOCK_SECONDS = 5.0
_PATIENCE = 5.0
_ID = re.compile(r"(\d{1,20}-\d{1,20})-(\d{1,19})")

# KEYS[1] is the stream of a channel. ARGV are an id, or an empty text, and how many entries are read after it. The
# reply: the id of the last entry that was ever added, how many were, how many are there, and the entries.
_READ = Script(
    """
    local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
    if info.err then
        if string.find(info.err, 'no such key') then return {'0-0', 0, 0, {}} end
        return info
    end
    local facts, found = {}, {}
    for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
    if ARGV[1] ~= '' then found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2]) end
    return {facts['last-generated-id'], facts['entries-added'], facts['length'], found}
    """
)


class Followed(msgspec.Struct, Generic[Event_co], frozen=True):
    """An event of a durable channel, and its position."""

    id: str
    """Its position: ``bus.follow(CHANNEL, after=id)`` goes on after it."""
    event: Event_co
    """The event."""


class FollowingBus(OpenBus):
    """A bus on which durable channels can be followed."""

    async def follow(self, channel: Channel[Event], *, after: str | None = None) -> AsyncGenerator[Followed[Event]]:
        """Iterate over the events of a durable channel, in order, each once, without being a listener.

        The iteration waits for further events; it ends when the service stops. While the server is away, it waits, too.
        An event that is not of the type of the contract is logged and left out. How long events are kept for those who
        come back says ``Channel(..., keep=...)``.

        Args:
            channel: A contract, with ``durable=True``.
            after: The id of the last event that is known: the iteration goes on after it. Empty: it begins with the
                oldest event that is kept. None: with the next one that is published.

        Raises:
            ConfigurationError: The channel is not durable.
            BadRequest: `after` is not the id of an event.
            Gone: Events after that position are no longer kept.
        """
        if not channel.durable:
            raise ConfigurationError(f"Only a durable channel can be followed: add durable=True to {channel!r}")
        decode = _decoder_of(channel)
        position = None if after is None else _position(after)
        async with aclosing(_entries(self._open.node, channel.name, position)) as entries:
            async for entry, body in entries:
                try:
                    event = cast("Event", decode(body))
                except UnknownTag:  # a newer publisher
                    continue
                except BadRequest as error:
                    make_logger().error("event left out", channel=channel.name, id=entry, reason=error.message)
                    continue
                yield Followed(entry, event)


class _Position(NamedTuple):
    """A position in a channel.

    Attributes:
        entry: The id of an entry; None: the oldest entry is the next one.
        number: How many events the channel had up to it.
    """

    entry: str | None
    number: int

    @property
    def order(self) -> tuple[int, int]:
        ms, _, number = (self.entry or "0-0").partition("-")
        return int(ms), int(number)


def _position(after: str) -> _Position:
    found = _ID.fullmatch(after)
    if after and found is None:
        raise BadRequest("It is not the id of an event", details={"after": after[:64]})
    return _Position(None, 0) if found is None else _Position(found[1], int(found[2]))


async def _entries(node: Node, channel: str, position: _Position | None) -> AsyncGenerator[tuple[str, bytes]]:
    """The ids and the bodies of the events after a position; None: of those that come from now on."""
    key, waits = channel_stream(channel), pauses()
    async with _watching(node, key) as watch, _stopping(node) as stopped:
        while not stopped.done():
            change = watch.change
            try:
                since = "" if position is None else position.entry or "0-0"
                last, added, length, found = await _read(node, key, since)
            except Unavailable:
                await asyncio.sleep(next(waits))
                continue
            waits = pauses()
            if position is None:
                position = _Position(last, added)
            elif position.entry is None:
                position = _Position("0-0", added - length)
            elif not added - length <= position.number <= added or _Position(last, 0).order < position.order:
                raise Gone("Events after this one are no longer kept")
            for number, (entry, fields) in enumerate(found, position.number + 1):
                position = _Position(entry, number)
                yield f"{entry}-{number}", fields[b"event"]
            if len(found) < _COUNT:
                position = _Position(position.entry, added)
                await asyncio.wait({change, stopped}, timeout=_BLOCK_SECONDS, return_when=asyncio.FIRST_COMPLETED)


async def _read(node: Node, key: str, since: str) -> tuple[str, int, int, list[tuple[str, dict[bytes, bytes]]]]:
    reply = await node.link.script(_READ, [key], [since, _COUNT])
    last, added, length, found = cast("tuple[bytes | str, int, int, list[tuple[bytes, list[bytes]]]]", reply)
    entries = [(entry.decode(), dict(zip(fields[::2], fields[1::2], strict=True))) for entry, fields in found]
    return last.decode() if isinstance(last, bytes) else last, added, length, entries


class _Watch:
    """Waits for new entries of one stream, for all that follow it in this process.

    Attributes:
        change: Done once the stream may have changed since it was asked for.
        followers: How many there are.
    """

    def __init__(self, node: Node, key: str) -> None:
        from daebus.connection.blocking_link import BlockingLink  # noqa: PLC0415  # an app is defined without redis-py

        self._node, self._key = node, key
        self._link = BlockingLink(node.server, key, _BLOCK_SECONDS + _PATIENCE)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name=f"watch of {key}")
        self._task.add_done_callback(_tell_failure)
        self.change: asyncio.Future[None] = self._loop.create_future()
        self.followers = 0

    async def _run(self) -> None:
        last = b""
        while True:
            try:
                if not last:
                    newest, *_ = await _read(self._node, self._key, "")
                    last = newest.encode()
                    self._changed()
                block = int(_BLOCK_SECONDS * 1000)
                command = ("XREAD", "COUNT", _COUNT, "BLOCK", block, "STREAMS", self._key, last)
                reply = cast(
                    "list[tuple[bytes, list[tuple[bytes, object]]]] | None", await self._link.execute(*command)
                )
            except (Unavailable, CommandError):  # the link of the process logs it; followers read again after a while
                await asyncio.sleep(1)
                last = b""
                continue
            if reply:
                last = reply[0][1][-1][0]
                self._changed()

    def _changed(self) -> None:
        before, self.change = self.change, self._loop.create_future()
        before.set_result(None)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._link.close()


def _tell_failure(ended: asyncio.Task[None]) -> None:
    error = None if ended.cancelled() else ended.exception()
    if error is not None:  # followers go on, and look every few seconds
        make_logger().error("watch of a channel failed", task=ended.get_name(), exc_info=error)


_watches: dict[tuple[Node, str], _Watch] = {}


@asynccontextmanager
async def _watching(node: Node, key: str) -> AsyncGenerator[_Watch]:
    watch = _watches.get((node, key))
    if watch is None:
        watch = _watches[node, key] = _Watch(node, key)
    watch.followers += 1
    try:
        yield watch
    finally:
        watch.followers -= 1
        if not watch.followers:
            del _watches[node, key]
            await watch.close()


@asynccontextmanager
async def _stopping(node: Node) -> AsyncGenerator[asyncio.Future[None]]:
    """A future that is done once the service stops."""
    stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    node.stopping.call_when_set(stop)
    try:
        yield stopped
    finally:
        node.stopping.forget(stop)


@cache
def _decoder_of(channel: Channel[Any]) -> Decoder:
    return compile_event_decoder(channel.types[0])
