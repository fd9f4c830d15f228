from __future__ import annotations

import json

import msgspec
import pytest

from daebus.protocol import messages
from daebus.protocol.envelopes import Envelope
from daebus.protocol.messages import ErrorPayload, Reply, Request, decode_request


def test_a_request_is_the_json_that_daebus_0_0_31_sends() -> None:
    old = b'{"action":"get_user","payload":{"id":"1"},"reply_to":"caller:c","request_id":"r","service":"users"}'
    request = msgspec.json.decode(old, type=Request)
    assert (request.action, bytes(request.payload), request.reply_to) == ("get_user", b'{"id":"1"}', "caller:c")
    assert (request.deadline, request.trace_id) == (None, None)
    assert msgspec.json.encode(request) == old


@pytest.mark.parametrize("channel", ["daebus:reply:9f2c", "daebus:reply:old:9f2c", "caller:7f9d", "users.responses"])
def test_a_request_may_name_a_reply_channel(channel: str) -> None:
    body = msgspec.json.encode({"action": "ping", "reply_to": channel})
    assert decode_request(body).reply_to == channel


@pytest.mark.parametrize(
    "channel",
    [
        "user_events",
        "caller:",
        "a caller:7f9d",
        "caller:7f9d\n",
        ".responses",
        "a:b.responses",
        "users.responses\n",
        "\ndaebus:reply:9f2c",
        "daebus:reply",
        "daebus:{users}:control",
        "daebus:reply:" + "x" * 256,
    ],
)
def test_a_request_may_name_no_other_channel(channel: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"`\$.reply_to`"):
        decode_request(msgspec.json.encode({"action": "ping", "reply_to": channel}))


def test_a_request_needs_no_more_than_its_action() -> None:
    request = msgspec.json.decode(b'{"action":"ping"}', type=Request)
    assert bytes(request.payload) == b"null"
    assert (request.reply_to, request.request_id, request.service) == (None, "", "")
    assert json.loads(msgspec.json.encode(request))["action"] == "ping"


def test_a_request_from_a_newer_caller_is_understood() -> None:
    assert msgspec.json.decode(b'{"action":"ping","priority":3}', type=Request).action == "ping"


def test_a_reply_says_all_its_fields() -> None:
    reply = Reply("success", msgspec.Raw(b"[1]"), "r")
    assert json.loads(msgspec.json.encode(reply)) == {
        "status": "success",
        "payload": [1],
        "request_id": "r",
        "final": True,
    }


def test_a_reply_of_an_old_service_is_final() -> None:
    assert msgspec.json.decode(b'{"status":"error","payload":null,"request_id":"r"}', type=Reply).final


def test_an_error_of_an_old_service_has_a_code_and_no_details() -> None:
    error = msgspec.json.decode(b'{"error":"went wrong"}', type=ErrorPayload)
    assert (error.error, error.code, error.details) == ("went wrong", "error", {})
    error.details["a"] = 1
    assert msgspec.json.decode(b'{"error":"again"}', type=ErrorPayload).details == {}


@pytest.mark.parametrize("id_", ["a1", 7])
def test_an_envelope_carries_the_id_that_it_was_given(id_: str | int) -> None:
    body = msgspec.json.encode({"type": "get", "data": {"a": 1}, "id": id_})
    envelope = msgspec.json.decode(body, type=Envelope)
    assert (envelope.type, bytes(envelope.data), envelope.id) == ("get", b'{"a":1}', id_)
    assert msgspec.json.encode(envelope) == body


def test_an_envelope_needs_no_more_than_its_type() -> None:
    envelope = msgspec.json.decode(b'{"type":"ping"}', type=Envelope)
    assert (bytes(envelope.data), envelope.id) == (b"null", None)
    assert b'"id"' not in msgspec.json.encode(Envelope("pong"))


def test_a_message_to_a_websocket_client_shows_its_json() -> None:
    assert repr(Envelope("said", msgspec.Raw(b'{"a":1}'), 7)) == """Envelope(type='said', data={"a":1}, id=7)"""


def test_the_keys_of_redis_are_what_the_protocol_says() -> None:
    assert messages.action_stream("users", "get_user") == "daebus:{users}:action:get_user"
    assert messages.partition_of("users", 0) == "users"
    second = messages.partition_of("users", 1)
    assert messages.action_stream(second, "get_user") == "daebus:{users:1}:action:get_user"
    assert [messages.service_of(partition) for partition in ("users", second)] == ["users", "users"]
    assert messages.serving_registry("users") == "daebus:{users}:serving"
    assert messages.serving_instances("users") == "daebus:{users}:servers"
    assert messages.serving_channel("users") == "daebus:{users}:left"
    assert messages.dead_letters("users") == "daebus:{users}:dead"
    assert messages.control_channel("users") == "daebus:{users}:control"
    assert messages.client_channel("users") == "daebus:{users}:clients"
    assert messages.client_registry("users") == "daebus:{users}:connected"
    assert messages.channel_stream("orders") == "daebus:channel:{orders}"
    assert messages.reply_channel("i1") == "daebus:reply:i1"
