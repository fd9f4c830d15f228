"""The WebSocket clients of all replicas of a service: their registry, and the messages from replica to replica.

A replica reaches its own clients directly, and the clients of other replicas over one pub/sub channel. The registry is
a sorted set of all connected clients; the score is the time at which the entry was last renewed by its replica.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, cast

import msgspec

from daebus.connection.link import Link, publish_command
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import CLAMP, NOW, Script
from daebus.errors import Unavailable
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.messages import NOTHING, client_channel, client_registry
from daebus.rooms.local_room import Connection

__all__ = ["ClientConnection", "Replicas"]

STALE_SECONDS = 30.0
"""Seconds without renewal of its entry after which a client counts as disconnected."""

_STALE_MS = round(STALE_SECONDS * 1000)
_BATCH = 1000  # entries per write

_ADD = Script(
    NOW
    + CLAMP
    + """
clamp(KEYS[1])
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
    """A message from one replica to the others, on `client_channel`.

    Attributes:
        origin: The sending replica, which has already served its own clients.
        target: The client; None: all of them.
        envelope: The message, as it is sent to the client; ``null``: disconnect the client.
        reason: The reason for the disconnect.
    """

    origin: str
    target: str | None = None
    envelope: msgspec.Raw = NOTHING
    reason: str = ""


_log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Push).decode


class ClientConnection(Connection, Protocol):
    """The connection of one client, as handlers and replicas use it."""

    async def send(self, text: str) -> None:
        """Send a message; in the client's own handlers, wait until the earlier ones are on their way."""

    async def deliver(self, text: str) -> bool:
        """Send a message, after the earlier ones are on their way; returns whether the client is still there."""
        ...


class Handling(Protocol):
    """A connection whose message is being handled."""

    def look(self) -> None:
        """Listen to the client while its message is being handled, if it was handled at the last look, too."""


class Replicas:
    """The replicas of one service and their WebSocket clients. A process without clients of its own can use it, too.

    Args:
        link: The connection for commands.
        service: The service's name.

    Attributes:
        connections: The connections of this replica's clients, by client id.
        handling: Those of them whose handler runs, or whose answer waits to be sent.
        channel: The pub/sub channel whose messages go to `receive`, if this replica has clients.
    """

    def __init__(self, link: Link, service: str) -> None:
        self.connections: dict[str, ClientConnection] = {}
        self.handling: set[Handling] = set()
        self.channel: str = client_channel(service)
        self._registry = client_registry(service)
        self._link = link
        self._origin = secrets.token_hex(8)

    async def broadcast(self, envelope: bytes) -> None:
        """Send a message to every client. Raises `Unavailable` if the other replicas cannot be reached."""
        text = envelope.decode()
        for connection in self.connections.values():
            connection.post(text)
        await self._link.execute("PUBLISH", self.channel, encode(Push(self._origin, envelope=msgspec.Raw(envelope))))

    async def send(self, client_id: str, envelope: bytes) -> bool:
        """Send a message to one client; returns False if it is not connected. Raises `Unavailable`."""
        connection = self.connections.get(client_id)
        if connection is None:
            return await self._ask_others(Push(self._origin, client_id, msgspec.Raw(envelope)))
        connection.post(envelope.decode())
        return True

    async def disconnect(self, client_id: str, reason: str) -> None:
        """Disconnect a client, wherever it is connected. Raises `Unavailable`."""
        connection = self.connections.get(client_id)
        if connection is None:
            await self._ask_others(Push(self._origin, client_id, reason=reason))
        else:
            connection.disconnect(reason)

    async def connected(self) -> list[str]:
        """The ids of all clients, sorted. Raises `Unavailable`."""
        found = cast("list[bytes]", await self._link.script(_LIST, [self._registry], [_STALE_MS]))
        return sorted({*self.connections, *(member.decode(errors="replace") for member in found)})

    def receive(self, payload: bytes) -> None:
        """Handle a message of another replica on the channel."""
        try:
            push = _decode(payload)
            envelope = bytes(push.envelope).decode()
        except UNDECODABLE as error:
            _log.warning("A message on %s is not from a replica: %s", self.channel, error)
            return
        if push.origin == self._origin:
            return
        if push.target is None:
            for connection in self.connections.values():
                connection.post(envelope)
            return
        target = self.connections.get(push.target)
        if target is None:
            return
        if envelope == "null":
            target.disconnect(push.reason)
        else:
            target.post(envelope)

    async def renew(self) -> None:
        """Renew the entries of all clients of this replica. Raises `Unavailable`."""
        client_ids = list(self.connections)
        for start in range(0, max(1, len(client_ids)), _BATCH):
            connected = [client_id for client_id in client_ids[start : start + _BATCH] if client_id in self.connections]
            await self._link.script(_ADD, [self._registry], [_STALE_MS, *connected])

    async def add(self, client_id: str) -> None:
        """Add a client to the registry. If that fails, the next `renew` adds it."""
        with suppress(Unavailable, CommandError):
            await self._link.script(_ADD, [self._registry], [_STALE_MS, client_id])

    async def remove(self, client_ids: Sequence[str]) -> None:
        """Remove clients from the registry. If that fails, they count as connected until they are stale."""
        for start in range(0, len(client_ids), _BATCH):
            with suppress(Unavailable, CommandError):
                await self._link.execute("ZREM", self._registry, *client_ids[start : start + _BATCH])

    async def _ask_others(self, push: Push) -> bool:
        args: list[Argument] = [_STALE_MS, self.channel, encode(push), push.target or "", publish_command(self._link)]
        return await self._link.script(_PUBLISH_TO, [self._registry], args) == 1
