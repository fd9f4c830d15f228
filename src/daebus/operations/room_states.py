"""The rooms that the server knows, for operators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from daebus.connection.node import Node
from daebus.protocol.messages import instance_registry
from daebus.protocol.rooms import room_state, rooms_of
from daebus.rooms.store import RoomStore

__all__ = ["RoomState", "room_states"]


class RoomState(msgspec.Struct, frozen=True):
    """A room.

    Attributes:
        room: Its name.
        members: How many clients are in it, at instances that are alive.
        offset: The offset of its last message.
        kept: How many messages are kept for clients that come back.
        epoch: Its epoch.
    """

    room: str
    members: int
    offset: int
    kept: int
    epoch: str


async def room_states(node: Node, service: str | None = None) -> list[RoomState]:
    """The rooms, by name.

    Args:
        node: This process.
        service: Only the rooms with clients of this service; None: all that are kept.
    """
    store = RoomStore(node.link, node.id)
    names = await (_all_names(node) if service is None else _names_of(node, service))
    found = [(name, await store.look(name)) for name in sorted(set(names))]
    return [RoomState(name, one.members, one.offset, one.kept, one.epoch) for name, one in found]


async def _all_names(node: Node) -> Iterable[str]:
    before, _, after = room_state("*").partition("*")
    keys = await node.link.keys(room_state("*"))
    return [key.removeprefix(before).removesuffix(after) for key in keys]


async def _names_of(node: Node, service: str) -> Iterable[str]:
    instances = cast("list[bytes]", await node.link.execute("ZRANGE", instance_registry(service), 0, -1))
    rooms = [
        cast("list[bytes]", await node.link.execute("SMEMBERS", rooms_of(instance.decode()))) for instance in instances
    ]
    return [name.decode() for names in rooms for name in names]
