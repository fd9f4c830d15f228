"""The messages of the bus as AsyncAPI describes them, as in docs/protocol.md."""

from __future__ import annotations

import re

from daebus.payloads.naming import numbered
from daebus.payloads.schemas import Json

from .contracts import About

__all__ = ["ERROR", "ERROR_REFERENCE", "NUMBERED_KEY", "Keys", "about_of", "as_key", "message", "reply", "request"]

_ID: Json = {"type": "string", "maxLength": 256}
_COUNT: Json = {"type": "integer", "minimum": 0}
_CORRELATED: Json = {"location": "$message.payload#/request_id", "description": "The id of the request."}

ERROR: Json = {
    "title": "Error",
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "A code for programs, such as `not_found`."},
        "details": {"description": "More about the error; a `bad_request` has all mistakes of the input here."},
    },
    "required": ["error", "code"],
}
"""The schema of an error."""

ERROR_REFERENCE: Json = {"$ref": "#/components/schemas/daebus.Error"}

NUMBERED_KEY = "{}_{}"
"""The form of a key with a number."""

_REQUEST: Json = {
    "reply_to": {**_ID, "description": "The pub/sub channel for the replies; default: no reply is wanted."},
    "request_id": {**_ID, "description": "A unique id, chosen by the caller."},
    "deadline": {"type": "integer", "description": "When the caller stops waiting, in ms of the server's clock."},
    "trace_id": {**_ID, "description": "The id of the work that this request belongs to."},
    "idempotency_key": {"type": "string", "maxLength": 255, "description": "Requests with the same key run once."},
    "sender": {**_ID, "description": "The sender of a request without a reply."},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 64},
    "credit": {**_COUNT, "description": "The number of items of a stream that the caller accepts."},
    "credit_size": {**_COUNT, "description": "The number of bytes of these items."},
}


def as_key(name: str) -> str:
    """A name in letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "_"


class Keys:
    """The keys of a document: another key for each thing.

    Names that differ in punctuation alone have different keys: ``a.b`` is ``a_b``, and a later ``a_b`` is ``a_b_2``.
    """

    def __init__(self) -> None:
        self._keys: dict[tuple[str, ...], str] = {}

    def of(self, *parts: str) -> str:
        """The key of what these parts identify; the same at each call."""
        if parts not in self._keys:
            names = numbered("_".join(map(as_key, parts)), NUMBERED_KEY)
            self._keys[parts] = next(name for name in names if name not in self._keys.values())
        return self._keys[parts]


def message(name: str, payload: Json, **more: object) -> Json:
    """A message."""
    return {"name": name, "contentType": "application/json", "payload": payload, **more}


def request(service: str, action: str, payload: Json) -> Json:
    """The request for an action."""
    fields = {"action": {"const": action}, "payload": payload, "service": {"const": service}, **_REQUEST}
    schema = {"type": "object", "properties": fields, "required": ["action", "request_id"]}
    return message(action, schema, correlationId=_CORRELATED)


def reply(action: str, payload: Json, *, streams: bool) -> Json:
    """The replies of an action: its result, or the items and the end of a stream, and the error."""
    number = {"number": {"type": "integer", "minimum": 1, "description": "The number of the item."}} if streams else {}
    found = {"result": _reply(f"{action} result", "success", payload, final=not streams, more=number)}
    if streams:
        found["end"] = _reply(f"{action} end", "success", {"type": "null"}, final=True, more=number)
        found["alive"] = _reply(f"{action} alive", "alive", {}, final=False, more={})
    found["error"] = _reply(f"{action} error", "error", ERROR_REFERENCE, final=True, more={})
    return found


def _reply(name: str, status: str, payload: Json, *, final: bool, more: Json) -> Json:
    fields = {
        "status": {"const": status},
        "payload": payload,
        "request_id": _ID,
        "final": {"const": final},
        **more,
    }
    schema = {"type": "object", "properties": fields, "required": ["status", "request_id", "final"]}
    return message(name, schema, correlationId=_CORRELATED)


def about_of(about: About) -> Json:
    """What an operation says of its handler."""
    found: Json = {"title": about.title, "summary": about.summary}
    texts = [about.description] if about.description else []
    if about.requires:
        texts.append(f"Requires: {', '.join(about.requires)}.")
    if texts:
        found["description"] = "\n\n".join(texts)
    if about.blueprint:
        found["tags"] = [{"name": about.blueprint}]
    return found
