"""Rooms as Redis has them: messages, members and positions."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple, cast

from daebus.connection.link import Link, publish_command
from daebus.connection.resp import Argument
from daebus.declare.rooms import Room
from daebus.payloads.codec import encode
from daebus.payloads.encodable import Encodable
from daebus.protocol.rooms import (
    Position,
    Recovery,
    room_channel,
    room_history,
    room_instances,
    room_members,
    room_state,
    rooms_declared,
    rooms_of,
)

from .scripts import BEAT, DECLARE, DECLARED, JOIN, LEAVE, LIVE, LOOK, MEMBERS, READ, REAP, SEND

__all__ = ["Kept", "Look", "RoomStore", "Snapshot"]

_STATE_KEPT = timedelta(days=7)


class Kept(NamedTuple):
    """A message that is kept.

    Attributes:
        offset: Its number.
        but: The ids of the clients that do not get it, as JSON.
        envelope: The envelope.
    """

    offset: int
    but: bytes
    envelope: bytes


class Snapshot(NamedTuple):
    """What a room was like at one time.

    Attributes:
        epoch: The epoch; empty: the room has none.
        offset: The offset of the last message.
        change: The number of the last change of the members.
        members: The members at replicas that are alive, as JSON.
        has_dead: Whether there are members at replicas that are dead.
        kept: Messages.
    """

    epoch: str
    offset: int
    change: int
    members: Sequence[bytes]
    has_dead: bool
    kept: Sequence[Kept]

    @property
    def position(self) -> Position:
        """The position of the last message."""
        return Position(self.epoch, self.offset)

    @property
    def start(self) -> int:
        """The offset of the last message before `kept`."""
        return self.kept[0].offset - 1 if self.kept else self.offset

    def recovery(self, since: Position) -> Recovery:
        """What somebody gets by `kept` who has all messages up to a position."""
        if since.epoch != self.epoch or since.offset > self.offset:
            return "lost"
        if len(self.kept) == self.offset - since.offset:  # else some are no longer kept, or never were
            return "full"
        return "partial" if self.kept else "lost"


class Look(NamedTuple):
    """What a room is like, without its messages.

    Attributes:
        epoch: The epoch; empty: the room has none.
        offset: The offset of the last message.
        kept: How many messages are kept.
        members: How many clients are in it, at instances that are alive.
    """

    epoch: str
    offset: int
    kept: int
    members: int


class RoomStore:
    """The rooms on the server. All methods raise `Unavailable` if it cannot be reached.

    Args:
        link: The connection for commands.
        instance: The id of this process, with which the ids of its clients begin.
    """

    def __init__(self, link: Link, instance: str) -> None:
        self._link = link
        self._instance = instance

    async def send(self, room: Room[Encodable], name: str, envelope: bytes, but: Collection[str]) -> None:
        """Send a message to the members of a room."""
        keep = int(room.keep.total_seconds() * 1000)
        kept = room.history, keep, encode(sorted(but)), envelope, room.history_bytes
        args = (*self._arguments(room, name), *kept)
        await self._link.script(SEND, [room_state(name), room_history(name)], args)

    async def send_to(self, name: str, envelope: bytes, to: Collection[str]) -> None:
        """Send a message to some members, which is not kept."""
        await self._publish(name, b"t - 0 " + encode(sorted(to)) + b" " + envelope)

    async def send_unkept(self, name: str, envelope: bytes, but: Collection[str]) -> None:
        """Send a message to the members of a room, which is not kept."""
        await self._publish(name, b"v - 0 " + encode(sorted(but)) + b" " + envelope)

    async def remove(self, name: str, client_id: str) -> None:
        """Ask the replica of a member to remove it."""
        await self._publish(name, b"r - 0 " + client_id.encode())

    async def join(
        self,
        room: Room[Encodable],
        name: str,
        client_id: str,
        member: bytes,
        since: Position | None,
        *,
        again: bool = False,
    ) -> Snapshot:
        """Add a member; the snapshot has the messages after a position, or the latest one if the room offers it.

        With `again`, the members are told of it, even if it is one already.
        """
        position: tuple[Argument, ...] = ("", "") if since is None else (since.epoch, since.offset)
        args = (*self._arguments(room, name), client_id, member, *position, int(room.latest), int(again))
        return await self._snapshot(await self._link.script(JOIN, _keys(name), args))

    async def leave(self, room: Room[Encodable], name: str, client_id: str) -> None:
        """Remove a member."""
        await self._link.script(LEAVE, _keys(name), (*self._arguments(room, name), client_id))

    async def read(self, name: str, position: Position) -> Snapshot:
        """A snapshot with the messages after a position."""
        return await self._snapshot(await self._link.script(READ, _keys(name), (position.epoch, position.offset)))

    async def members(self, name: str) -> list[bytes]:
        """The members at replicas that are alive, as JSON."""
        found = cast("list[bytes]", await self._link.script(MEMBERS, [room_members(name)], []))
        return (await self._living(found))[0]

    async def look(self, name: str) -> Look:
        """What a room is like."""
        epoch, offset, kept, clients = cast(
            "tuple[bytes, int, int, list[bytes]]", await self._link.script(LOOK, _keys(name), [])
        )
        live = await self._live({client.rpartition(b"-")[0] for client in clients})
        members = sum(client.rpartition(b"-")[0] in live for client in clients)
        return Look(epoch.decode(), offset, kept, members)

    async def declare(self, names: Collection[str]) -> None:
        """Record the contracts of rooms that clients can join here."""
        await self._link.script(DECLARE, [rooms_declared()], [*names])

    async def declared(self) -> list[str]:
        """The names of the contracts that were recorded so within an hour."""
        found = await self._link.script(DECLARED, [rooms_declared()], [])
        return [name.decode() for name in cast("list[bytes]", found)]

    async def beat(self, lease: float) -> tuple[bool, list[str]]:
        """Record that this instance is alive.

        Returns:
            Whether it was unknown or counted as dead, and the instances that are gone.
        """
        answer = await self._link.script(BEAT, [room_instances()], (int(lease * 1000), self._instance))
        new, gone = cast("tuple[int, list[bytes]]", answer)
        return bool(new), [one.decode() for one in gone]

    async def note(self, name: str) -> None:
        """Record that a room has members at this instance."""
        key = rooms_of(self._instance)
        await self._link.execute("SADD", key, name)
        await self._link.execute("PEXPIRE", key, int(_STATE_KEPT.total_seconds() * 1000))

    async def unnote(self, name: str) -> None:
        """Record that a room has no more members at this instance."""
        await self._link.execute("SREM", rooms_of(self._instance), name)

    async def reap(self, instance: str) -> None:
        """Remove the members of an instance that is gone, and then the instance."""
        for each in cast("list[bytes]", await self._link.execute("SMEMBERS", rooms_of(instance))):
            name = each.decode()
            await self._link.script(REAP, _keys(name), (*self._own(name, _STATE_KEPT), instance))
        await self._link.execute("DEL", rooms_of(instance))
        await self._link.execute("ZREM", room_instances(), instance)

    async def depart(self) -> None:
        """Forget this instance, whose members have left."""
        await self._link.execute("ZREM", room_instances(), self._instance)

    def _arguments(self, room: Room[Encodable], name: str) -> tuple[Argument, ...]:
        return self._own(name, _STATE_KEPT + room.keep)

    def _own(self, name: str, kept: timedelta) -> tuple[Argument, ...]:
        """The arguments with which every script begins that writes."""
        kept_ms = int(kept.total_seconds() * 1000)
        return secrets.token_hex(4), kept_ms, room_channel(name), publish_command(self._link)

    async def _living(self, found: Sequence[bytes]) -> tuple[list[bytes], bool]:
        """The members at replicas that are alive, and whether there are others. It asks after they were found.

        Args:
            found: The ids of clients, each followed by the member.
        """
        pairs = zip(found[::2], found[1::2], strict=True)
        members = [(client_id.rpartition(b"-")[0], member) for client_id, member in pairs if member]
        live = await self._live({instance for instance, _ in members})
        alive = [member for instance, member in members if instance in live]
        return alive, len(alive) < len(members)

    async def _live(self, instances: Collection[bytes]) -> Collection[bytes]:
        """The instances that are alive, if these are asked for."""
        live = {self._instance.encode()}
        if not live.issuperset(instances):
            live.update(cast("list[bytes]", await self._link.script(LIVE, [room_instances()], [])))
        return live

    async def _snapshot(self, reply: object) -> Snapshot:
        epoch, offset, change, found, entries = cast(
            "tuple[bytes, int, int, list[bytes], list[tuple[bytes, list[bytes]]]]", reply
        )
        members, has_dead = await self._living(found)
        return Snapshot(epoch.decode(), offset, change, members, has_dead, [*map(_kept, entries)])

    async def _publish(self, name: str, payload: bytes) -> None:
        await self._link.execute("PUBLISH", room_channel(name), payload)


def _kept(entry: tuple[bytes, list[bytes]]) -> Kept:
    """The message of an entry of a stream."""
    entry_id, (_, but, _, envelope) = entry
    return Kept(int(entry_id.partition(b"-")[0]), but, envelope)


def _keys(name: str) -> Sequence[Argument]:
    return room_state(name), room_history(name), room_members(name)
