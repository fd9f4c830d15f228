"""The requests of WebSocket clients about rooms: ``join``, ``leave`` and ``resume``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar, cast
from urllib.parse import urlencode

import msgspec

from daebus.declare.rooms import Room, match_room
from daebus.delivery.delivery import Delivery
from daebus.errors import NotFound, ServiceError, TooManyRequests
from daebus.payloads.codec import compile_decoder, encode
from daebus.payloads.encodable import Encodable
from daebus.protocol.envelopes import Envelope
from daebus.protocol.replies import encode_error, encode_response
from daebus.protocol.rooms import JOIN, LEAVE, RESUME, Joining, Leaving, Position, Recovery, Resuming
from daebus.rooms.local_rooms import Entered, LocalRooms
from daebus.rooms.rooms import Member

from .clients import Client
from .replicas import ClientConnection

__all__ = ["RoomRequests"]

T = TypeVar("T")

_connection_of: Callable[[Client], ClientConnection] = attrgetter("_connection")


class _Joined(msgspec.Struct, omit_defaults=True):
    """The answer to a client that has joined a room.

    Attributes:
        room: The room.
        epoch: The epoch of its messages.
        offset: The offset of the last message before those that it gets after this answer.
        members: The members that are present, itself included; missing if members see nothing of each other.
        recovered: What it gets of the messages that it missed; missing if it did not ask.
    """

    room: str
    epoch: str
    offset: int
    members: Sequence[msgspec.Raw] | None = None
    recovered: Recovery | None = None


class _Arrival(NamedTuple):
    """A client that has joined a room, and waits for the answer."""

    entered: Entered
    joined: _Joined


class RoomRequests:
    """Answers the requests of the clients of one service about rooms.

    Args:
        joins: The join handlers, each with the contract of its rooms.
        rooms: The rooms of this replica.
        max_rooms: How many rooms a client may be in.
    """

    def __init__(
        self, joins: Sequence[tuple[Room[Encodable], Delivery[bytes]]], rooms: LocalRooms, max_rooms: int
    ) -> None:
        # The name without parameters is meant where it is that of a room of both.
        self._joins = sorted(joins, key=lambda join: len(join[0].parameters))
        self._rooms = rooms
        self._max_rooms = max_rooms
        self._answers: Mapping[str, Callable[[Client, msgspec.Raw, str, str | int | None], Awaitable[None]]] = {}
        if joins:
            self._answers = {
                JOIN: _reading(Joining, self._join),
                LEAVE: _reading(Leaving, self._leave),
                RESUME: _reading(Resuming, self._resume),
            }

    async def answer(self, client: Client, envelope: Envelope, request_id: str) -> bool:
        """Handle a request and send its answer; returns False if it is not about rooms. Raises `ServiceError`."""
        answer = self._answers.get(envelope.type)
        if answer is None:
            return False
        await answer(client, envelope.data, request_id, envelope.id)
        return True

    async def _join(self, client: Client, asked: Joining, request_id: str, answer_to: str | int | None) -> None:
        arrival = await self._enter(client, asked.room, asked.since, request_id)
        await self._welcome(client, encode(arrival.joined), [arrival], answer_to)

    async def _resume(self, client: Client, asked: Resuming, request_id: str, answer_to: str | int | None) -> None:
        arrivals: dict[str, _Arrival] = {}
        told: dict[str, msgspec.Raw] = {}
        try:
            for name, since in asked.rooms.items():
                try:
                    arrivals[name] = await self._enter(client, name, since, request_id)
                    told[name] = msgspec.Raw(encode(arrivals[name].joined))
                except ServiceError as error:
                    told[name] = msgspec.Raw(b'{"error":' + bytes(encode_error(error)) + b"}")
        finally:
            await self._welcome(client, encode({"rooms": told}), list(arrivals.values()), answer_to)

    async def _leave(self, client: Client, asked: Leaving, _: str, answer_to: str | int | None) -> None:
        if not await self._rooms.leave(asked.room, client.id):
            raise NotFound(f"You are not in the room {asked.room!r}", code="not_in_room")
        await _send(client, encode_response(None, answer_to))

    async def _enter(self, client: Client, name: str, since: Position | None, request_id: str) -> _Arrival:
        room, delivery, values = self._find(name)
        if self._rooms.others(name, client.id) >= self._max_rooms:
            raise TooManyRequests(f"You are in {self._max_rooms} rooms already, and may not join more")
        body = urlencode(values).encode()
        incoming = delivery.incoming(request_id, body, client, headers=client.headers)
        data = await delivery.answer(incoming)
        hidden = room.types == (type(None),)
        member = b"" if hidden else encode(Member(client.id, msgspec.Raw(data), incoming.context.actor))
        entered = await self._rooms.enter(room, name, (client.id, _connection_of(client)), member, since)
        snapshot = entered.snapshot
        recovered = None if since is None else snapshot.recovery(since)
        members = None if hidden else [msgspec.Raw(one) for one in snapshot.members]
        return _Arrival(entered, _Joined(name, snapshot.epoch, snapshot.start, members, recovered))

    def _find(self, name: str) -> tuple[Room[Encodable], Delivery[bytes], dict[str, str]]:
        for room, delivery in self._joins:
            values = match_room(room.name, name)
            if values is not None:
                return room, delivery, values
        raise NotFound(f"There is no room {name!r}", code="no_such_room")

    async def _welcome(
        self, client: Client, data: bytes, arrivals: Sequence[_Arrival], answer_to: str | int | None
    ) -> None:
        """Send the answer, then what was missed, then what came meanwhile."""
        try:
            await _send(client, encode_response(data, answer_to))
            for entered, _ in arrivals:
                for kept in entered.snapshot.kept:
                    if client.id.encode() not in kept.but:
                        await _send(client, entered.local.text_of(entered.snapshot.epoch, kept))
        finally:
            for entered, _ in arrivals:
                entered.membership.release()


def _reading(
    type_: type[T], answer: Callable[[Client, T, str, str | int | None], Awaitable[None]]
) -> Callable[[Client, msgspec.Raw, str, str | int | None], Awaitable[None]]:
    """The function that answers a request, with its data still as JSON. It raises `BadRequest` if that is wrong."""
    decode = compile_decoder(type_)

    async def read_and_answer(client: Client, data: msgspec.Raw, request_id: str, answer_to: str | int | None) -> None:
        await answer(client, cast("T", decode(data)), request_id, answer_to)

    return read_and_answer


async def _send(client: Client, text: str) -> None:
    await _connection_of(client).send(text)
