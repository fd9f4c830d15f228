"""`Declared`: warns of messages to rooms that no client can join, as when a contract is misspelt or was renamed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daebus.connection.resp import CommandError
from daebus.declare.rooms import Room, match_room
from daebus.errors import Unavailable
from daebus.mistakes.places import made_at
from daebus.mistakes.suggestions import did_you_mean
from daebus.payloads.encodable import Encodable
from daebus.telemetry.logs import make_logger

if TYPE_CHECKING:
    from .store import RoomStore

__all__ = ["Declared"]

_SECONDS = 600.0
_MOST = 1_000


class Declared:
    """Looks, at the first message to the rooms of a contract and every 10 minutes, whether clients can join them.

    Args:
        store: The rooms on the server.
    """

    def __init__(self, store: RoomStore) -> None:
        self._store = store
        self._looked: dict[str, float] = {}

    async def check(self, room: Room[Encodable], name: str) -> None:
        """Log a warning if no service lets clients into a room of this name, or has done so within an hour."""
        now = time.monotonic()
        known = room.name in self._looked
        if (known and now < self._looked[room.name] + _SECONDS) or (not known and len(self._looked) >= _MOST):
            return
        self._looked[room.name] = now
        try:
            declared = await self._store.declared()
        except (Unavailable, CommandError):  # the message was sent all the same
            del self._looked[room.name]
            return
        if not any(match_room(contract, name) is not None for contract in declared):
            otherwise = "add a handler with @socket_join, or start the service that has it"
            make_logger().warning(
                "message sent to a room that no client can join, as no running service has a @socket_join for it",
                room=name,
                contract=room.name,
                where=str(made_at(room)),
                remedy=did_you_mean(room.name, declared, otherwise),
            )
