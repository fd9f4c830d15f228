"""Everything that takes bytes from outside, as functions that may raise nothing but errors for the sender."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import msgspec

from daebus import WebSocketLimits
from daebus.app.kinds import SOCKET
from daebus.asgi.subprotocols import take_token
from daebus.connection.node import Node
from daebus.connection.redis_server import RedisServer
from daebus.core.stopping import Stopping
from daebus.errors import BadRequest, ServiceError
from daebus.payloads.codec import UNDECODABLE, compile_decoder, compile_event_decoder, compile_query_decoder, encode
from daebus.protocol.envelopes import Envelope
from daebus.protocol.messages import Reply, decode_request
from daebus.protocol.replies import ERROR, failed_reply, reply_error
from daebus.rooms.local_rooms import LocalRooms
from daebus.telemetry.logs import make_logger
from daebus.websocket.authentication import finding_users
from daebus.websocket.clients import Client
from daebus.websocket.inbound import Inbound, SocketRoutes

from .victim import Created, Deleted, Params, User, app

__all__ = ["DECODERS", "HONEST"]

T = TypeVar("T")

_rooms = LocalRooms(Node(RedisServer.from_url("redis://127.0.0.1:1")), make_logger())
_victim = app.check("victim")
_finding = finding_users([plan.endpoint for plan in _victim.plans.of(SOCKET)], _victim.workers)


def _inbound_of(routes: SocketRoutes) -> Inbound:
    limits = WebSocketLimits(max_message_size=4096, max_login_size=4096)
    return Inbound(routes, service="victim", rooms=_rooms, limits=limits, stopping=Stopping(), logger=make_logger())


_inbound = _inbound_of(SocketRoutes({}))
_with_users = _inbound_of(SocketRoutes({}, authenticate=_finding))
_decode_user = compile_decoder(User)
_decode_event = compile_event_decoder(Created | Deleted)
_decode_params = compile_query_decoder(Params)


class _Nobody:
    async def send(self, text: str) -> None: ...

    async def deliver(self, text: str) -> bool:
        return False

    def post(self, text: str) -> None: ...

    def disconnect(self, reason: str) -> None: ...


def _payload(data: bytes) -> None:
    with suppress(BadRequest):
        assert isinstance(_decode_user(data), User)


def _event(data: bytes) -> None:
    with suppress(BadRequest):
        assert isinstance(_decode_event(data), Created | Deleted)


def _query(data: bytes) -> None:
    with suppress(BadRequest):
        assert isinstance(_decode_params(data), Params)


def _request(data: bytes) -> None:
    try:
        request = decode_request(data)
    except UNDECODABLE:
        return
    reply = failed_reply(BadRequest("no"), request.request_id)
    assert msgspec.json.decode(reply, type=Reply).request_id == request.request_id
    assert (
        request.reply_to is None
        or request.reply_to.startswith(("daebus:reply:", "caller:"))
        or (":" not in request.reply_to and request.reply_to.endswith(".responses"))
    )
    float(request.deadline or 0)


def _error_reply(data: bytes) -> None:
    error = reply_error(Reply(ERROR, msgspec.Raw(data), "r"))
    assert isinstance(error, ServiceError)
    str(error)


def _envelope(data: bytes) -> None:
    """Without any handlers: every message has an error for an answer, whatever it is."""
    for message in (data, data.decode("utf-8", errors="replace")):
        answer = _result(_inbound.handle(Client("c1", _Nobody(), {}), message))
        if answer is None:
            assert "daebus." in (message if isinstance(message, str) else message.decode(errors="replace"))
            continue
        assert msgspec.json.decode(answer, type=Envelope).type == "error"


def _credentials(data: bytes) -> None:
    """The first message of a client, and a later one: its user is found, or it gets an error."""
    for message in (data, data.decode("utf-8", errors="replace")):
        client = Client("c1", _Nobody(), {})
        with suppress(ServiceError):
            _result(_with_users.log_in(client, message))
        assert _result(_with_users.handle(client, message)) is not None


def _subprotocols(data: bytes) -> None:
    """No token is left in what is sent back."""
    scope: dict[str, list[object]] = {"headers": [(b"sec-websocket-protocol", data)], "subprotocols": []}
    take_token(scope)
    assert not any(str(offer).startswith("daebus.bearer.") for offer in scope["subprotocols"])


def _result(coroutine: Coroutine[object, object, T]) -> T:
    """The result of what does not wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError("It waits for something")


def _any_json(data: bytes) -> None:
    """What was decoded can be sent again."""
    with suppress(*UNDECODABLE):
        encode(msgspec.json.decode(data))


DECODERS: Mapping[str, Callable[[bytes], None]] = {
    "payload": _payload,
    "event": _event,
    "query": _query,
    "request": _request,
    "error reply": _error_reply,
    "envelope": _envelope,
    "credentials": _credentials,
    "subprotocols": _subprotocols,
    "any JSON": _any_json,
}

HONEST: Sequence[bytes] = (
    b'{"id": "u1", "age": 36, "tags": ["a"], "address": {"street": "x", "zip": "12345"}, "born": "1815-12-10"}',
    b'{"type": "created", "user": {"id": "u1", "scores": {"a": 1.5}}}',
    b"room=1&tags=a&tags=%C3%A9",
    b'{"action": "echo", "payload": [1], "reply_to": "daebus:reply:9f", "request_id": "r", "deadline": 1, "credit": 2}',
    b'{"error": "no", "code": "not_found", "details": {"id": "u1"}}',
    b'{"type": "user", "data": {"id": "u1"}, "id": 7}',
    b'{"type": "authenticate", "data": {"token": "known", "scheme": "bearer"}, "id": 7}',
    b"daebus, daebus.bearer.known%2F",
)
"""What the decoders are for: where a fuzzer begins."""
