"""`Rooms`: sends messages to rooms, and knows their members."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import cache, partial
from typing import TYPE_CHECKING, ClassVar, Generic, TypeAlias, TypeVar, cast, overload

import msgspec

from daebus.core.affinity import LoopOnly
from daebus.declare.contracts import Message
from daebus.declare.rooms import Room, RoomAddress
from daebus.delivery.after_commit import After, defer
from daebus.errors import BadReply, BadRequest, ConfigurationError
from daebus.payloads.codec import Decoder, compile_decoder, encode
from daebus.payloads.encodable import Encodable
from daebus.protocol.envelopes import Envelope
from daebus.telemetry.traces import pushed

from .declared import Declared

if TYPE_CHECKING:
    from .store import RoomStore

__all__ = ["Member", "Rooms"]

D = TypeVar("D", bound=Encodable)
P = TypeVar("P", bound=Encodable)
P_co = TypeVar("P_co", covariant=True)

_Ids: TypeAlias = str | Collection[str]


class Member(msgspec.Struct, Generic[P_co], frozen=True, omit_defaults=True):
    """A client that is in a room. A user with several connections is in the room with each of them."""

    id: str
    """The client's `Client.id`."""
    data: P_co
    """What its join handler has returned."""
    user: str | None = None
    """The id of its user; None: it has no user, or the user has no id."""


class Rooms(LoopOnly):
    """The rooms of WebSocket clients, on all replicas, for ``async def`` handlers.

    Any service can send to a room, also one without WebSockets.

    All methods raise `Unavailable` if the server that the replicas share cannot be reached.
    """

    __twin__: ClassVar[str] = "blocking_rooms"

    def __init__(self, store: RoomStore) -> None:
        self._store = store
        self._declared = Declared(store)

    @overload
    async def send(
        self, room: RoomAddress[Encodable], message: Message[D], data: D, *, to: _Ids, after: After = None
    ) -> None: ...
    @overload
    async def send(
        self,
        room: RoomAddress[Encodable],
        message: Message[D],
        data: D,
        *,
        but: _Ids = (),
        kept: bool = True,
        after: After = None,
    ) -> None: ...
    async def send(
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
        envelope = encode(Envelope(message.name, msgspec.Raw(encode(data))))
        without = _ids(but)
        if to is not None:
            if without or not kept:
                raise ConfigurationError("Rooms.send takes to= without but= and kept=")
            send = partial(self._store.send_to, room.name, envelope, _ids(to))
        elif kept:
            send = partial(self._store.send, room.room, room.name, envelope, without)
        else:
            send = partial(self._store.send_unkept, room.name, envelope, without)
        push = partial(pushed, message.name, partial(self._send, room, send))
        if after is None:
            await push()
        else:
            defer(after, f"message {message.name!r} to the room {room.name!r}", push, envelope)

    async def members(self, room: RoomAddress[P]) -> list[Member[P]]:
        """The members of a room, sorted by the ids of their clients; none for a room without presence.

        The members at a replica that was killed are in the list for 15 s.

        Args:
            room: The room: ``AUCTION(id="7")``.

        Raises:
            BadReply: The presence of a member is not of the type of the contract.
        """
        decode = cast("Callable[[msgspec.Raw], P]", _decoder_of(room.room))
        found = [_decode_member(each) for each in await self._store.members(room.name)]
        try:
            return sorted((Member(one.id, decode(one.data), one.user) for one in found), key=lambda member: member.id)
        except BadRequest as error:
            raise BadReply(
                f"The presence of a member of {room.name!r} is not of the type of {room.room!r}: {error}"
            ) from error

    async def has(self, room: RoomAddress[Encodable]) -> bool:
        """Whether any client is in a room, also in one without presence.

        Clients at a replica that was killed count for 15 s.

        Args:
            room: The room: ``AUCTION(id="7")``.
        """
        return (await self._store.look(room.name)).members > 0

    async def remove(self, room: RoomAddress[Encodable], client_id: str) -> None:
        """Remove a client from a room; does nothing if it is not in it. The client gets the message ``removed``.

        Args:
            room: The room: ``AUCTION(id="7")``.
            client_id: The client's `Client.id`.
        """
        await self._store.remove(room.name, client_id)

    async def _send(self, room: RoomAddress[Encodable], send: Callable[[], Awaitable[None]]) -> None:
        await send()
        await self._declared.check(room.room, room.name)


@cache
def _decoder_of(room: Room[Encodable]) -> Decoder:
    return compile_decoder(room.types[0])


_decode_member = msgspec.json.Decoder(Member[msgspec.Raw]).decode


def _ids(given: _Ids) -> Collection[str]:
    return (given,) if isinstance(given, str) else given
