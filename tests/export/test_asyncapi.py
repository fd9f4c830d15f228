"""The AsyncAPI document: what the app receives, answers and sends, with addresses, types and correlation ids.

`nox -s documents` has it checked by the official parser.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from tests.export import torture
from tests.export.market import Sold, Withdrawn, app

from daebus import Channel, Daebus
from daebus.checking.examination import examine
from daebus.export.asyncapi import asyncapi
from daebus.protocol.messages import action_stream, channel_stream

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    """The document of the app, as a reader of the JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(asyncapi(app.check())), type=Json)


def _at(document: Json, reference: str) -> Json:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _payload(document: Json, channel: str, message: str) -> Json:
    properties: Json = document["channels"][channel]["messages"][message]["payload"]["properties"]
    return properties


def _address(channel: Json) -> str:
    """The address, with the default of each parameter in its place."""
    found: str = channel["address"]
    for name, parameter in channel.get("parameters", {}).items():
        found = found.replace(f"{{{name}}}", parameter["default"])
    return found


def _references(document: Json) -> list[str]:
    return re.findall(r'"\$ref":"([^"]+)"', msgspec.json.encode(document).decode())


def test_every_reference_has_its_target(document: Json) -> None:
    references = _references(document)
    assert references
    for reference in references:
        assert _at(document, reference), reference


def test_an_action_is_an_operation_with_a_reply(document: Json) -> None:
    operation = document["operations"]["action_get_offer"]
    assert operation["action"] == "receive"
    assert operation["summary"] == "Finds an offer."
    assert operation["description"] == "It must not be older than a year.\n\nRequires: may_see."
    assert operation["tags"] == [{"name": "market"}]
    schemes = [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("user", "bearer")]
    assert operation["security"] == schemes
    assert _address(document["channels"]["action_get_offer"]) == action_stream("market", "get_offer")
    request = _payload(document, "action_get_offer", "request")
    assert request["action"] == {"const": "get_offer"}
    assert request["payload"] == {"$ref": "#/components/schemas/GetOffer"}
    assert operation["reply"]["address"] == {"location": "$message.payload#/reply_to"}
    assert _payload(document, "action_get_offer_replies", "result")["payload"] == {"$ref": "#/components/schemas/Offer"}


def test_the_replies_of_a_stream_are_items_its_end_and_its_signs_of_life(document: Json) -> None:
    messages = document["channels"]["action_all_offers_replies"]["messages"]
    assert list(messages) == ["result", "end", "alive", "error"]
    assert messages["result"]["payload"]["properties"]["final"] == {"const": False}
    assert messages["end"]["payload"]["properties"]["final"] == {"const": True}


def test_a_request_and_its_reply_are_correlated_by_the_request_id(document: Json) -> None:
    location = "$message.payload#/request_id"
    for channel, message in (("action_get_offer", "request"), ("action_get_offer_replies", "result")):
        found = document["channels"][channel]["messages"][message]
        assert found["correlationId"]["location"] == location
        assert "request_id" in found["payload"]["properties"]


def test_a_durable_channel_has_the_address_of_its_stream_and_a_message_for_each_event(document: Json) -> None:
    channel = document["channels"]["channel_sales"]
    assert _address(channel) == channel_stream("sales")
    assert list(channel["messages"]) == ["Sold", "Withdrawn"]
    assert channel["messages"]["Sold"]["payload"] == {"$ref": "#/components/schemas/Sold"}
    assert document["operations"]["listen_sales_mails"]["action"] == "receive"


def test_a_plain_channel_has_its_own_name_as_address(document: Json) -> None:
    assert document["channels"]["channel_rates"]["address"] == "rates"


def test_what_the_code_mentions_is_sent(document: Json) -> None:
    sent = [name for name, operation in document["operations"].items() if operation["action"] == "send"]
    assert sorted(sent) == ["billing_pay", "messages", "publish_sales", "rooms"]
    assert _address(document["channels"]["billing_action_pay"]) == action_stream("billing", "pay")
    assert "message_notice" in document["channels"]["websocket"]["messages"]


def test_a_channel_that_is_only_listened_to_is_not_sent(document: Json) -> None:
    assert "publish_rates" not in document["operations"]


def test_a_socket_message_has_its_data_and_its_answer(document: Json) -> None:
    assert document["channels"]["websocket"]["address"] == "/live"
    sell = _payload(document, "websocket", "socket_sell")
    assert sell["type"] == {"const": "sell"}
    assert sell["data"] == {"$ref": "#/components/schemas/Offer"}
    reply = document["operations"]["socket_sell"]["reply"]
    answer = _at(document, reply["messages"][0]["$ref"])["payload"]["properties"]
    assert answer["type"] == {"const": "response"}
    assert answer["data"] == {"type": "string"}


def test_the_parameters_of_the_connect_handler_are_the_query_of_the_handshake(document: Json) -> None:
    query = document["channels"]["websocket"]["bindings"]["ws"]["query"]
    assert query["type"] == "object"
    assert query["properties"]["language"]["default"] == "en"


def test_a_room_has_a_pattern_for_its_names_and_the_presence_of_its_members(document: Json) -> None:
    join = _payload(document, "websocket", "join_auction_number")["data"]["properties"]
    assert join["room"]["pattern"] == r"^auction:[^\s:{}]{1,128}$"
    joined = _payload(document, "websocket", "joined_auction_number")["data"]["properties"]
    assert joined["members"]["items"]["properties"]["data"] == {"$ref": "#/components/schemas/Watcher"}
    assert {"leave", "resume", "rooms"} <= document["operations"].keys()


def test_constraints_descriptions_and_strict_structs_are_kept(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["GetOffer"]["properties"]["id"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 36,
        "description": "The id of the offer.",
    }
    assert schemas["Offer"]["additionalProperties"] is False
    assert schemas["Offer"]["properties"]["price"]["examples"] == ["9.50"]
    assert schemas["Sold"]["properties"]["type"] == {"enum": ["Sold"]}


def test_names_that_differ_only_in_punctuation_are_all_documented() -> None:
    alike = Daebus("alike")

    for name in ("a.b", "a_b", "a-b"):

        @alike.action(name)
        async def answer() -> None: ...

    @alike.listen(Channel[int]("a", durable=True), name="b_c")
    async def on_a(event: int) -> None: ...

    @alike.listen(Channel[int]("a_b", durable=True), name="c")
    async def on_a_b(event: int) -> None: ...

    document = asyncapi(alike.check())
    receiving = [one for one in document["operations"].values() if one["action"] == "receive"]
    assert len(receiving) == 5
    addresses = {_address(_at(document, one["channel"]["$ref"])) for one in receiving}
    assert addresses == {
        *(action_stream("alike", name) for name in ("a.b", "a_b", "a-b")),
        channel_stream("a"),
        channel_stream("a_b"),
    }
    for operation in receiving[:3]:
        assert set(operation["reply"]["channel"]["$ref"].split("/")) & document["channels"].keys()
        assert operation["reply"]["channel"] != operation["channel"]


class Nested(msgspec.Struct):
    sale: Sold | Withdrawn


class Changed(msgspec.Struct):
    id: str


class Other:
    class Changed(msgspec.Struct):
        name: str


def test_events_of_the_same_name_in_one_channel_are_all_documented() -> None:
    listening = Daebus("listening")

    @listening.listen(Channel[Changed]("changes", durable=True), name="first")
    async def on_first(event: Changed) -> None: ...

    @listening.listen(Channel[Other.Changed]("changes", durable=True), name="second")
    async def on_second(event: Other.Changed) -> None: ...

    document = asyncapi(listening.check())
    operations = document["operations"]
    one, other = (operations[f"listen_changes_{name}"]["messages"] for name in ("first", "second"))
    payloads = [_at(document, messages[0]["$ref"])["payload"] for messages in (one, other)]
    properties = [list(_at(document, payload["$ref"])["properties"]) for payload in payloads]
    assert (len(one), len(other), properties) == (1, 1, [["id"], ["name"]])


def test_a_tagged_union_has_no_discriminator_as_that_of_asyncapi_is_another_one() -> None:
    shapes = Daebus("shapes")

    @shapes.action("draw")
    async def draw(shape: Nested) -> None: ...

    document = asyncapi(shapes.check())
    union = document["components"]["schemas"]["Nested"]["properties"]["sale"]
    assert [one["$ref"].rpartition("/")[2] for one in union["anyOf"]] == ["Sold", "Withdrawn"]
    assert "discriminator" not in union


def test_an_app_without_websockets_has_no_socket() -> None:
    document = asyncapi(Daebus("quiet").check(may_idle=True))
    assert list(document["servers"]) == ["bus"]
    assert document["channels"] == {}


def test_all_types_have_a_schema() -> None:
    document = asyncapi(examine("tests.export.torture:app", None).require())
    scalars = document["components"]["schemas"]["Scalars"]["properties"]
    assert scalars["anything"] == {"description": "Any JSON."}


def test_a_stream_over_a_websocket_has_items_and_an_end(document: Json) -> None:
    assert "credit" not in document["operations"]  # the market has no such stream
    found = asyncapi(torture.app.check())
    asked = _payload(found, "websocket", "socket_count")
    assert asked["credit"]["minimum"] == 1
    reply = found["operations"]["socket_count"]["reply"]["messages"]
    item, end, error = (_at(found, each["$ref"])["payload"]["properties"] for each in reply)
    assert (item["final"], "final" in end, error["type"]) == ({"const": False}, False, {"const": "error"})
    assert _payload(found, "websocket", "credit")["type"] == {"const": "daebus.credit"}
    assert _payload(found, "websocket", "cancel")["type"] == {"const": "daebus.cancel"}
