"""The blocking version of `Rooms`, for ``def`` handlers and threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import ClassVar, TypeAlias, TypeVar, cast, overload

from daebus.core.affinity import ThreadOnly
from daebus.core.loop_thread import LoopThread
from daebus.declare.contracts import Message
from daebus.declare.rooms import RoomAddress
from daebus.delivery.after_commit import After
from daebus.payloads.encodable import Encodable

from .rooms import Member, Rooms

__all__ = ["BlockingRooms"]

D = TypeVar("D", bound=Encodable)
P = TypeVar("P", bound=Encodable)

_Ids: TypeAlias = str | Collection[str]


class BlockingRooms(ThreadOnly):
    """`Rooms` for ``def`` handlers and threads: the service ``blocking_rooms``."""

    __twin__: ClassVar[str] = "rooms"

    def __init__(self, rooms: Rooms, loop: asyncio.AbstractEventLoop) -> None:
        self._rooms = rooms
        self._loop = LoopThread(loop)

    @overload
    def send(
        self, room: RoomAddress[Encodable], message: Message[D], data: D, *, to: _Ids, after: After = None
    ) -> None: ...
    @overload
    def send(
        self,
        room: RoomAddress[Encodable],
        message: Message[D],
        data: D,
        *,
        but: _Ids = (),
        kept: bool = True,
        after: After = None,
    ) -> None: ...
    def send(
        self,
        room: RoomAddress[Encodable],
        message: Message[D],
        data: D,
        *,
        to: _Ids | None = None,
        but: _Ids = (),
        kept: bool = True,
        after: After = None,
    ) -> None:
        """Send a message to the members of a room. All members get the messages of a room in the same order.

        A member that is disconnected meanwhile gets the message when it comes back, if the room keeps it until then; a
        message with `to` is not kept. If `Unavailable` is raised, the message may have been sent.

        Args:
            room: The room: ``AUCTION(id="7")``.
            message: Its name is the type of the envelope.
            data: The payload.
            to: The ids of the only clients that get it; None: all members.
            but: The ids of clients that do not get it, such as the sender's `Client.id`.
            kept: Whether clients that come back get it later. False is for what is only of interest now, such as "Ada
                is typing"; the message has no offset then.
            after: ``"commit"``: it is sent after the message that is being handled has succeeded, as an event is: see
                `Bus.publish`. None: at once.

        Raises:
            ConfigurationError: `to` is given together with `but` or `kept`; or `after` is ``"commit"``, and no message
                is being handled.
        """
        send = cast("Callable[..., Coroutine[object, object, None]]", self._rooms.send)  # it refuses both itself
        self._loop.wait_for(send(room, message, data, to=to, but=but, kept=kept, after=after))

    def members(self, room: RoomAddress[P]) -> list[Member[P]]:
        """The members of a room, sorted by the ids of their clients; none for a room without presence.

        The members at a replica that was killed are in the list for 15 s.

        Args:
            room: The room: ``AUCTION(id="7")``.

        Raises:
            BadReply: The presence of a member is not of the type of the contract.
        """
        return self._loop.wait_for(self._rooms.members(room))

    def has(self, room: RoomAddress[Encodable]) -> bool:
        """Whether any client is in a room, also in one without presence.

        Clients at a replica that was killed count for 15 s.

        Args:
            room: The room: ``AUCTION(id="7")``.
        """
        return self._loop.wait_for(self._rooms.has(room))

    def remove(self, room: RoomAddress[Encodable], client_id: str) -> None:
        """Remove a client from a room; does nothing if it is not in it. The client gets the message ``removed``.

        Args:
            room: The room: ``AUCTION(id="7")``.
            client_id: The client's `Client.id`.
        """
        self._loop.wait_for(self._rooms.remove(room, client_id))
