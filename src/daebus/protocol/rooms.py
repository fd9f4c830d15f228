"""The data of rooms in Redis, and the messages of rooms to WebSocket clients, as in docs/protocol.md."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

__all__ = [
    "JOIN",
    "LEAVE",
    "RESUME",
    "Joining",
    "Leaving",
    "Position",
    "Recovery",
    "Resuming",
    "room_channel",
    "room_history",
    "room_instances",
    "room_members",
    "room_state",
    "rooms_declared",
    "rooms_of",
]

JOIN, LEAVE, RESUME = "join", "leave", "resume"

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]

Recovery: TypeAlias = Literal["full", "partial", "lost"]
"""What a client that comes back gets of the messages that it missed: all, the newest of them, or none of them."""


class Position(msgspec.Struct, frozen=True):
    """A position in the messages of a room.

    Attributes:
        epoch: It is another one after the messages of the room were lost.
        offset: The number of the last message, from 1; 0: there was none yet.
    """

    epoch: Annotated[str, msgspec.Meta(max_length=64)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class Joining(msgspec.Struct):
    """The data of ``join``.

    Attributes:
        room: The room.
        since: The position of the last message that the client has got; None: it was not in the room before.
    """

    room: _Name
    since: Position | None = None


class Leaving(msgspec.Struct):
    """The data of ``leave``."""

    room: _Name


class Resuming(msgspec.Struct):
    """The data of ``resume``: for each room, the position of the last message that the client has got."""

    rooms: dict[_Name, Position]


def room_state(room: str) -> str:
    """A hash: the epoch, the offset of the last message, and the number of the last change of the members."""
    return f"daebus:{{room:{room}}}:state"


def room_history(room: str) -> str:
    """A stream: the messages that are kept; the id of each is its offset."""
    return f"daebus:{{room:{room}}}:history"


def room_members(room: str) -> str:
    """A hash: the members, by the ids of their clients."""
    return f"daebus:{{room:{room}}}:members"


def room_channel(room: str) -> str:
    """The pub/sub channel of a room."""
    return f"daebus:{{room:{room}}}:live"


def room_instances() -> str:
    """A sorted set: the instances that have members of rooms; the score is when the heartbeat of each expires."""
    return "daebus:rooms:instances"


def rooms_declared() -> str:
    """A sorted set: the names of the contracts of rooms that clients can join; the score is when that was last so."""
    return "daebus:rooms:declared"


def rooms_of(instance: str) -> str:
    """A set: the rooms that have members at an instance."""
    return f"daebus:rooms:of:{instance}"
