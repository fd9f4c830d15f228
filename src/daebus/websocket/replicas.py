"""The WebSocket clients of a service over all its replicas: who is connected, and how to reach them.

Each replica reaches its own clients at once. The others are told over one pub/sub channel, and each connected client
stands in a sorted set with the time when its replica last said so.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, cast

import msgspec

from daebus.connection.link import Link
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import NOW, Script
from daebus.errors import Unavailable
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.messages import NOTHING, client_channel, client_registry

__all__ = ["Line", "Switchboard"]

STALE_SECONDS = 30.0
"""Seconds after which a client counts as gone whose replica has not said that it is still connected."""

_STALE_MS = round(STALE_SECONDS * 1000)
_AT_ONCE = 1000

_ADD = Script(
    NOW
    + """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
)

_LIST = Script(NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[1], '+inf')")

_PUBLISH_TO = Script(
    NOW
    + """
redis.call(ARGV[5], ARGV[2], ARGV[3])
local score = redis.call('ZSCORE', KEYS[1], ARGV[4])
return score and tonumber(score) >= now - ARGV[1] and 1 or 0
"""
)


class Push(msgspec.Struct, omit_defaults=True):
    """What one replica asks of the others, on `client_channel`.

    Attributes:
        origin: The sender, which has served its own clients already.
        target: The client; None: all of them.
        envelope: The message, as it goes to the client; ``null``: the client is to be disconnected.
        reason: Why it is to be disconnected.
    """

    origin: str
    target: str | None = None
    envelope: msgspec.Raw = NOTHING
    reason: str = ""


_log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Push).decode


class Line(Protocol):
    """The connection of one client."""

    def post(self, text: str) -> None:
        """Send a message, without waiting."""

    def hang_up(self, reason: str) -> None:
        """Disconnect the client, without waiting."""


class Switchboard:
    """Reaches the WebSocket clients of one service. A replica without clients of its own can use it too.

    Args:
        link: The connection for commands.
        service: The service's name.

    Attributes:
        lines: The clients of this replica by their ids.
        channel: What `hear` is to be subscribed to, where there are such clients.
    """

    def __init__(self, link: Link, service: str) -> None:
        self.lines: dict[str, Line] = {}
        self.channel: str = client_channel(service)
        self._registry = client_registry(service)
        self._link = link
        self._origin = secrets.token_hex(8)

    async def broadcast(self, envelope: bytes) -> None:
        """Send a message to every client. Raises `Unavailable` where the other replicas cannot be told."""
        text = envelope.decode()
        for line in self.lines.values():
            line.post(text)
        await self._link.execute("PUBLISH", self.channel, encode(Push(self._origin, envelope=msgspec.Raw(envelope))))

    async def post(self, client_id: str, envelope: bytes) -> bool:
        """Send a message to one client; False where no such client is connected. Raises `Unavailable`."""
        line = self.lines.get(client_id)
        if line is None:
            return await self._ask_others(Push(self._origin, client_id, msgspec.Raw(envelope)))
        line.post(envelope.decode())
        return True

    async def hang_up(self, client_id: str, reason: str) -> None:
        """Disconnect a client, wherever it is connected. Raises `Unavailable`."""
        line = self.lines.get(client_id)
        if line is None:
            await self._ask_others(Push(self._origin, client_id, reason=reason))
        else:
            line.hang_up(reason)

    async def connected(self) -> list[str]:
        """The ids of all clients, sorted. Raises `Unavailable`."""
        found = cast("list[bytes]", await self._link.script(_LIST, [self._registry], [_STALE_MS]))
        return sorted({*self.lines, *(member.decode(errors="replace") for member in found)})

    def hear(self, payload: bytes) -> None:
        """Do what another replica asks."""
        try:
            push = _decode(payload)
            envelope = bytes(push.envelope).decode()
        except UNDECODABLE as error:
            _log.warning("Something on %s is from no replica: %s", self.channel, error)
            return
        if push.origin == self._origin:
            return
        if push.target is None:
            for line in self.lines.values():
                line.post(envelope)
            return
        target = self.lines.get(push.target)
        if target is None:
            return
        if envelope == "null":
            target.hang_up(push.reason)
        else:
            target.post(envelope)

    async def renew(self) -> None:
        """Say that all clients of this replica are still connected. Raises `Unavailable`."""
        lines = list(self.lines)
        for start in range(0, max(1, len(lines)), _AT_ONCE):
            still = [client_id for client_id in lines[start : start + _AT_ONCE] if client_id in self.lines]
            await self._link.script(_ADD, [self._registry], [_STALE_MS, *still])

    async def enter(self, client_id: str) -> None:
        """Say that a client is connected. Where that fails, the next `renew` makes up for it."""
        with suppress(Unavailable, CommandError):
            await self._link.script(_ADD, [self._registry], [_STALE_MS, client_id])

    async def leave(self, client_ids: Sequence[str]) -> None:
        """Say that clients are gone. Where that fails, they are counted as connected until they are stale."""
        for start in range(0, len(client_ids), _AT_ONCE):
            with suppress(Unavailable, CommandError):
                await self._link.execute("ZREM", self._registry, *client_ids[start : start + _AT_ONCE])

    async def _ask_others(self, push: Push) -> bool:
        publish = "SPUBLISH" if self._link.sharded else "PUBLISH"
        args: list[Argument] = [_STALE_MS, self.channel, encode(push), push.target or "", publish]
        return await self._link.script(_PUBLISH_TO, [self._registry], args) == 1
