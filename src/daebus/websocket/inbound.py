"""The handling of WebSocket messages: decode the envelope, find and call the handler, encode its answer."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import msgspec

from daebus.asgi.settings import WebSocketLimits
from daebus.connection.resp import CommandError
from daebus.core.stopping import Stopping
from daebus.declare.rooms import Room
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint
from daebus.errors import NotFound, ServiceError, TooLarge, Unauthorized, Unavailable
from daebus.mistakes.suggestions import closest
from daebus.payloads.codec import UNDECODABLE, invalid_input
from daebus.payloads.encodable import Encodable
from daebus.protocol.envelopes import CANCEL, Envelope
from daebus.protocol.replies import encode_failure, encode_response
from daebus.rooms.local_rooms import LocalRooms
from daebus.telemetry.logs import Logger

from .authentication import AUTHENTICATE, Authentication, End, UserWatch
from .clients import Client
from .rates import Allowance
from .room_requests import RoomRequests
from .streams import Streams

__all__ = ["Inbound", "SocketRoutes"]

R = TypeVar("R")

_LONGEST_NAME = 64


class _Request(msgspec.Struct):
    id: str | int | None = None


_decode = msgspec.json.Decoder(Envelope).decode
_decode_id = msgspec.json.Decoder(_Request).decode


@dataclass(frozen=True, slots=True)
class SocketRoutes:
    """The WebSocket handlers of a service. An endpoint's answer is None if its handler has returned nothing.

    Attributes:
        messages: The message handlers, by message type.
        connect: Accepts or refuses new clients; its payload is the query string. None: all are accepted.
        disconnect: The handlers that run after an accepted client has disconnected.
        authenticate: Finds the users whom the handlers ask for; None: they ask for none.
        joins: The handlers that let clients into rooms, each with the contract of its rooms.
    """

    messages: Mapping[str, Endpoint[bytes | None]]
    connect: Endpoint[bytes | None] | None = None
    disconnect: Sequence[Endpoint[object]] = ()
    authenticate: Endpoint[bool] | None = None
    joins: Sequence[tuple[Room[Encodable], Endpoint[bytes]]] = ()


class Inbound:
    """The handlers of one service, called with the messages of its clients.

    A message is answered if its handler returns something, or if it has an ``id``: the client then waits for an answer,
    so the data is ``null`` if the handler returns nothing. Errors are always answered. The answer has the same ``id``.

    Args:
        routes: The handlers.
        service: The service's name.
        rooms: The rooms of this replica.
        limits: The limits of clients; a message that is too large is answered with the error ``too_large``.
        stopping: Whether the service is stopping.
        logger: Logs errors.

    Attributes:
        disconnects: The deliveries to the disconnect handlers.
    """

    def __init__(
        self,
        routes: SocketRoutes,
        *,
        service: str,
        rooms: LocalRooms,
        limits: WebSocketLimits,
        stopping: Stopping,
        logger: Logger,
    ) -> None:
        def delivery_to(endpoint: Endpoint[R]) -> Delivery[R]:
            return Delivery(endpoint, service, stopping, logger, "socket")

        made = {name: delivery_to(endpoint) for name, endpoint in routes.messages.items()}
        self._messages = {name: one for name, one in made.items() if not one.endpoint.signature.streams}
        self._streamed = {name: one for name, one in made.items() if one.endpoint.signature.streams}
        self._streams = Streams(limits.max_streams, stopping, logger)
        self._connect = None if routes.connect is None else delivery_to(routes.connect)
        self.disconnects: Sequence[Delivery[object]] = [delivery_to(endpoint) for endpoint in routes.disconnect]
        self._authentication: Authentication | None = None
        if routes.authenticate is not None:
            self._authentication = Authentication(delivery_to(routes.authenticate))
        joins = [(room, delivery_to(endpoint)) for room, endpoint in routes.joins]
        self._rooms = rooms
        self._room_requests = RoomRequests(joins, rooms, limits.max_rooms)
        self._max_message_size, self._max_login_size = limits.max_message_size, limits.max_login_size
        self._surely_allowed = limits.max_message_size // 4  # in characters, each at most 4 bytes in UTF-8
        self._logger = logger
        self._numbers = itertools.count(1)

    def watch(self, client: Client, end: End) -> UserWatch | None:
        """A watch for the users of a client; None: no handler asks for users.

        Args:
            client: The client.
            end: Closes its connection with a reason and a code.
        """
        return None if self._authentication is None else UserWatch(self._authentication, client, end)

    async def connect(self, client: Client, query: bytes, request_id: str) -> bytes | None:
        """Call the connect handler for a client; returns its answer, if there is one.

        Raises:
            ServiceError: The client must be refused with this error.
        """
        delivery = self._connect
        if delivery is None:
            return None
        incoming = delivery.incoming(request_id, query, client, headers=client.headers)
        return await delivery.answer(incoming)

    async def log_in(self, client: Client, message: str | bytes) -> str | int | None:
        """Find the user of a client by its first message; returns the id of that message.

        Raises:
            ServiceError: The client must be refused with this error.
        """
        _refuse_large(message, self._max_login_size, " for credentials")
        try:
            envelope = _decode(message)
        except UNDECODABLE as error:
            raise invalid_input(error, message, Envelope) from error
        if envelope.type != AUTHENTICATE or self._authentication is None:
            raise Unauthorized(f"The first message must have the type {AUTHENTICATE!r}")
        await self._authentication.authenticate(client, envelope.data, f"{client.id}-{next(self._numbers)}")
        return envelope.id

    async def handle(self, client: Client, message: str | bytes, allowance: Allowance | None = None) -> str | None:
        """Handle a message; returns the answer, if there is one.

        Args:
            client: The client.
            message: The message.
            allowance: The messages that the client may send; None: any number.
        """
        try:
            if allowance is not None:
                allowance.take()
            if len(message) > self._surely_allowed:
                _refuse_large(message, self._max_message_size)
            envelope = _decode(message)
            delivery = self._messages.get(envelope.type)
            if delivery is None:
                return await self._answer_else(client, envelope)
        except UNDECODABLE as error:
            return encode_failure(invalid_input(error, message, Envelope), _id_of(message))
        except ServiceError as error:
            return encode_failure(error, _id_of(message))
        request_id = f"{client.id}-{next(self._numbers)}"
        handle, deadline = delivery.handle, None
        if envelope.timeout_ms is not None:
            seconds = envelope.timeout_ms / 1000
            handle, deadline = delivery.waited_for(seconds), time.monotonic() + seconds
        incoming = delivery.incoming(request_id, envelope.data, client, deadline, client.headers)
        try:
            answer = await handle(incoming)
            if answer is None and envelope.id is None:
                return None
            return encode_response(answer, envelope.id)
        except Exception as error:
            return encode_failure(delivery.problem(error, incoming), envelope.id)

    async def _answer_else(self, client: Client, envelope: Envelope) -> str | None:
        """Handle a message without a single answer of a handler: it is about a stream, a login or a room."""
        request_id = f"{client.id}-{next(self._numbers)}"
        try:
            if (delivery := self._streamed.get(envelope.type)) is not None:
                waiting = envelope.waiting
                deadline = None if waiting is None else time.monotonic() + waiting
                incoming = delivery.incoming(request_id, envelope.data, client, deadline, client.headers)
                self._streams.begin(client, delivery, incoming, envelope)
                return None
            if self._streams.control(client, envelope):
                return None
            if envelope.type == AUTHENTICATE and self._authentication is not None:
                await self._authentication.authenticate(client, envelope.data, request_id)
                return encode_response(None, envelope.id)
            if not await self._room_requests.answer(client, envelope, request_id):
                self._missing(envelope.type)
        except CommandError as error:
            self._logger.error("a request about a room failed", client=client.id, reason=str(error))
            return encode_failure(Unavailable("The room cannot be reached"), envelope.id)
        except ServiceError as error:
            return encode_failure(error, envelope.id)
        return None

    def cancels(self, message: str | bytes, handled: str | bytes) -> bool:
        """Whether a message cancels the one that is being handled."""
        with suppress(*UNDECODABLE):
            envelope = _decode(message)
            return envelope.type == CANCEL and envelope.id is not None and envelope.id == _id_of(handled)
        return False

    async def end_streams(self, client: Client) -> None:
        """End the streams of a client."""
        await self._streams.end(client)

    async def left(self, client: Client) -> None:
        """A client has gone: it leaves its rooms."""
        await self._rooms.leave_all(client.id)

    async def disconnect(self, delivery: Delivery[object], client: Client) -> None:
        """Run one of the disconnect handlers; its exceptions are only logged."""
        incoming = delivery.incoming(f"{client.id}-{next(self._numbers)}", part=client, headers=client.headers)
        about = {"handler": delivery.title, "where": delivery.endpoint.signature.where, "client": client.id}
        try:
            outcome = await delivery.deliver(incoming)
        except asyncio.CancelledError:
            self._logger.error("disconnect handler was cancelled, as it took too long", **about)
            raise
        if outcome.problem is not None and not outcome.is_logged:
            self._logger.error("disconnect handler failed", **about, reason=outcome.problem.message)

    def _missing(self, name: str) -> NoReturn:
        close = closest(name, [*self._messages, *self._streamed]) if len(name) <= _LONGEST_NAME else None
        hint = "" if close is None else f"; did you mean {close!r}?"
        raise NotFound(f"There is no message type {name[:_LONGEST_NAME]!r}{hint}", code="no_such_type")


def _refuse_large(message: str | bytes, limit: int, purpose: str = "") -> None:
    size = len(message if isinstance(message, bytes) else message.encode())
    if size > limit:
        raise TooLarge(f"The message has {size} bytes; at most {limit} are allowed{purpose}", details={"limit": limit})


def _id_of(message: str | bytes) -> str | int | None:
    """The id of a message that may be malformed."""
    with suppress(*UNDECODABLE):
        return _decode_id(message).id
    return None
