"""The WebSocket of an app as AsyncAPI describes it: one channel, with the messages of both directions and the rooms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType

from daebus.declare.rooms import Room
from daebus.payloads.encodable import Encodable
from daebus.payloads.schemas import Json, Schemas
from daebus.protocol.envelopes import CANCEL, CREDIT

from .asyncapi_security import SecurityDocument
from .contracts import AppContracts, Handled
from .messages import ERROR_REFERENCE, Keys, about_of, message

__all__ = ["SocketDocument"]

_ID: Json = {"type": ["string", "integer", "number"], "description": "Chosen by the client; the answer has it, too."}
_CORRELATED: Json = {"location": "$message.payload#/id", "description": "The id of the message."}
_CREDIT: Json = {
    "credit": {
        "type": "integer",
        "minimum": 1,
        "description": "How many items of the stream it accepts, or more of them.",
    }
}
_VALUE = r"[^\s:{}]{1,128}"
_PARAMETER = re.compile(r"\{\w+\}")
_RECOVERED: Json = {"enum": ["full", "partial", "lost"], "description": "What it gets of the messages that it missed."}
_POSITION: Json = {
    "epoch": {"type": "string", "maxLength": 64},
    "offset": {"type": "integer", "minimum": 0},
}


class SocketDocument:
    """The parts of the document that belong to the WebSocket.

    Args:
        contracts: The contracts of the app.
        schemas: The schemas of its types.
        keys: The keys of the document.
        security: Its security schemes.
    """

    def __init__(self, contracts: AppContracts, schemas: Schemas, keys: Keys, security: SecurityDocument) -> None:
        self._security = security
        self._contracts = contracts
        self._schemas = schemas
        self._key = keys.of

    def channel(self) -> Json:
        """The channel of the WebSocket."""
        return {
            "address": self._contracts.path,
            "servers": [{"$ref": "#/servers/websocket"}],
            "title": "The WebSocket",
            "description": "Messages are JSON objects with `type`, `data` and `id`, in both directions. "
            "Those of clients may have `timeout_ms`: for how many milliseconds they wait.",
            "messages": {**self._received(), **self._answers(), **self._sent(), **self._of_rooms()},
            "bindings": {"ws": {"method": "GET", **self._query(), "bindingVersion": "0.1.0"}},
        }

    def operations(self) -> dict[str, Json]:
        """The operations on it."""
        found = {
            self._key("socket", one.name): {
                **_operation("receive", [self._key("socket", one.name)]),
                "reply": _operation(None, self._replies(one)),
                **about_of(one.about),
                **self._security.on_socket(one.about),
            }
            for one in self._contracts.messages
        }
        if found:
            found["cancel"] = {**_operation("receive", ["cancel"]), "summary": "Cancels a message or a stream"}
        if self._has_streams:
            found["credit"] = {**_operation("receive", ["credit"]), "summary": "Accepts more items of a stream"}
        for room, handled in self._contracts.rooms:
            join = self._key("join", room.name)
            found[join] = {
                **_operation("receive", [join]),
                "reply": _operation(None, [self._key("joined", room.name), "error"]),
                **about_of(handled.about),
                **self._security.on_socket(handled.about),
            }
        if self._contracts.rooms:
            found["leave"] = {**_operation("receive", ["leave"]), "summary": "Leaves a room"}
            found["resume"] = {
                **_operation("receive", ["resume"]),
                "reply": _operation(None, ["resumed", "error"]),
                "summary": "Asks for the missed messages of rooms, after the client was disconnected",
            }
            found["rooms"] = {
                **_operation("send", ["presence", "recovered", "offset", "removed"]),
                "summary": "Tells a client what happens in its rooms",
            }
        if self._contracts.sends:
            names = [self._key("message", one.name) for one in self._contracts.sends]
            found["messages"] = {**_operation("send", names), "summary": "Sends messages to clients and rooms"}
        return found

    def _replies(self, handled: Handled) -> list[str]:
        answers = ("answer", "end") if handled.streams else ("answer",)
        return [*(self._key(one, handled.name) for one in answers), "error"]

    def _query(self) -> Json:
        connect = self._contracts.connect
        if connect is None or connect.takes is NoneType:
            return {}
        schema = self._schemas.of(connect.takes)
        name = schema.get("$ref", "").rpartition("/")[2]
        return {"query": dict(self._schemas.components[name])} if name else {"query": schema}

    def _received(self) -> dict[str, Json]:
        found = {self._key("socket", one.name): self._envelope(one) for one in self._contracts.messages}
        if found:
            found["cancel"] = _envelope(CANCEL, {"type": "null"}, required=False)
        if self._has_streams:
            found["credit"] = _envelope(CREDIT, {"type": "null"}, required=False, more=_CREDIT)
        return found

    @property
    def _has_streams(self) -> bool:
        return any(one.streams for one in self._contracts.messages)

    def _envelope(self, handled: Handled) -> Json:
        more = _CREDIT if handled.streams else {}
        data = self._schemas.of(handled.takes)
        return _envelope(handled.name, data, required=handled.takes is not NoneType, more=more)

    def _answers(self) -> dict[str, Json]:
        found = {self._key("answer", one.name): self._answer(one) for one in self._contracts.messages}
        for one in self._contracts.messages:
            if one.streams:
                found[self._key("end", one.name)] = _envelope("response", {"type": "null"}, required=False)
        error = _envelope("error", ERROR_REFERENCE, required=True)
        return {**found, "error": error}

    def _answer(self, handled: Handled) -> Json:
        more = {"final": {"const": False}} if handled.streams else {}
        return _envelope("response", self._schemas.of(handled.gives), required=False, more=more)

    def _sent(self) -> dict[str, Json]:
        return {
            self._key("message", one.name): _envelope(
                one.name, self._schemas.of(one.types[0]), required=one.types[0] is not NoneType, more=_IN_ROOM
            )
            for one in self._contracts.sends
        }

    def _of_rooms(self) -> dict[str, Json]:
        if not self._contracts.rooms:
            return {}
        found: dict[str, Json] = {}
        for room, handled in self._contracts.rooms:
            joined = self._joined(handled)
            name = {"room": {"type": "string", "pattern": _pattern(room), "description": handled.about.summary}}
            since = {"since": _object(_POSITION, ["epoch", "offset"])}
            found[self._key("join", room.name)] = _envelope("join", _object({**name, **since}, ["room"]), required=True)
            found[self._key("joined", room.name)] = _envelope("response", joined, required=True)
        members = {"anyOf": [self._member(handled) for _, handled in self._contracts.rooms]}
        return {**found, **_room_messages(members)}

    def _joined(self, handled: Handled) -> Json:
        fields = {"room": {"type": "string"}, **_POSITION, "recovered": _RECOVERED}
        if handled.gives is not NoneType:
            fields["members"] = {"type": "array", "items": self._member(handled)}
        return _object(fields, ["room", "epoch", "offset"])

    def _member(self, handled: Handled) -> Json:
        fields = {"id": {"type": "string"}, "data": self._schemas.of(handled.gives), "user": {"type": "string"}}
        return _object(fields, ["id"])


_IN_ROOM: Json = {"room": {"type": "string", "description": "The room; missing outside of rooms."}, **_POSITION}


def _room_messages(member: Json) -> dict[str, Json]:
    room = {"room": {"type": "string"}}
    listed = {"type": "array", "items": member}
    changes = {"joined": listed, "left": {"type": "array", "items": {"type": "string"}}, "members": listed}
    position = _object(_POSITION, ["epoch", "offset"])
    answer = {
        **room,
        **_POSITION,
        "recovered": _RECOVERED,
        "members": listed,
        "error": ERROR_REFERENCE,
    }
    return {
        "leave": _envelope("leave", _object(room, ["room"]), required=True),
        "resume": _envelope(
            "resume", _object({"rooms": {"type": "object", "additionalProperties": position}}, ["rooms"]), required=True
        ),
        "resumed": _envelope(
            "response",
            _object({"rooms": {"type": "object", "additionalProperties": _object(answer, [])}}, ["rooms"]),
            required=True,
        ),
        "presence": _envelope("presence", _object(changes, []), required=True, more=room),
        "recovered": _envelope(
            "recovered",
            _object({"recovered": _RECOVERED, **_POSITION}, ["recovered", "epoch", "offset"]),
            required=True,
            more=room,
        ),
        "offset": _envelope("offset", {"type": "null"}, required=False, more={**room, **_POSITION}),
        "removed": _envelope("removed", {"type": "null"}, required=False, more=room),
    }


def _pattern(room: Room[Encodable]) -> str:
    parts = map(re.escape, _PARAMETER.split(room.name))
    return f"^{_VALUE.join(parts)}$"


def _object(fields: Mapping[str, object], required: list[str]) -> Json:
    return {"type": "object", "properties": dict(fields), **({"required": required} if required else {})}


def _envelope(name: str, data: Json, *, required: bool, more: Mapping[str, object] = {}) -> Json:
    fields = {"type": {"const": name}, "data": data, "id": _ID, **more}
    schema = _object(fields, ["type", "data"] if required else ["type"])
    return message(name, schema, correlationId=_CORRELATED)


def _operation(action: str | None, names: list[str]) -> Json:
    found: Json = {} if action is None else {"action": action}
    found["channel"] = {"$ref": "#/channels/websocket"}
    found["messages"] = [{"$ref": f"#/channels/websocket/messages/{name}"} for name in names]
    return found
