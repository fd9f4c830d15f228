"""What assistants are told of an action: its name, its documentation, and the schemas of what it takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from types import NoneType
from typing import Any

import msgspec

from daebus.declare.specs import ActionSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.doors.concurrency import limited
from daebus.errors import ConfigurationError
from daebus.export.contracts import Handled, action_contract
from daebus.payloads.schemas import REFERENCE, Json, Schemas, reachable

__all__ = ["PATH", "Tool", "ToolReply", "tools_of"]

PATH = "/mcp"
"""The path at which a service serves its tools."""

_ARGUMENT = "value"
_RESULT = "result"
_COMPONENTS = f'"{REFERENCE}'.encode()


class ToolReply(msgspec.Struct, frozen=True):
    """The reply of a tool.

    Attributes:
        text: The reply as JSON.
        structured: The reply as an object, which the protocol requires.
    """

    text: str
    structured: Json


class Tool(msgspec.Struct, frozen=True):
    """An action as a tool.

    Attributes:
        name: The name of the action.
        title: The first line of its documentation.
        description: All of its documentation.
        takes: The JSON Schema of its arguments, an object.
        gives: The JSON Schema of its result, an object.
        has_fields: Whether the arguments are the fields of the payload; otherwise the payload is the argument `value`.
        takes_nothing: Whether the action takes no payload.
        is_object: Whether each reply is an object; otherwise it is given as `result`.
        streams: Whether it streams its replies, which are then given together, as a list.
    """

    name: str
    title: str
    description: str
    takes: Json
    gives: Json
    has_fields: bool
    takes_nothing: bool
    is_object: bool
    streams: bool

    def payload(self, arguments: Json) -> bytes:
        """The payload of a request, as JSON."""
        if self.takes_nothing and not arguments:
            return b"null"
        # A missing or misspelt argument leaves no payload of the right type: the service says what is wrong.
        payload = arguments if self.has_fields else arguments.get(_ARGUMENT, arguments)
        return msgspec.json.encode(payload)

    def reply(self, replies: Sequence[bytes]) -> ToolReply:
        """What the assistant gets.

        Args:
            replies: The reply as JSON, or each item of the stream.
        """
        text = f"[{','.join(map(bytes.decode, replies))}]" if self.streams else replies[0].decode()
        found = msgspec.json.decode(text)
        return ToolReply(text, found if self.is_object and not self.streams else {_RESULT: found})


def tools_of(handlers: Iterable[tuple[Spec, Endpoint[Any]]]) -> list[tuple[Tool, Endpoint[Any]]]:
    """The actions that are open as tools, with the endpoints that answer their calls.

    Args:
        handlers: All handlers of an app.

    Raises:
        ConfigurationError: There are some, and the package `mcp` is not installed.
    """
    actions = [(spec, endpoint) for spec, endpoint in handlers if isinstance(spec, ActionSpec) and spec.is_tool]
    if actions and find_spec("mcp") is None:
        spec = actions[0][0]
        raise ConfigurationError(
            f"{spec.where}: {spec.title} has tool=True, which needs the package mcp: install daebus[mcp]"
        )
    return [(_tool(action_contract(spec, endpoint)), _opened(spec, endpoint)) for spec, endpoint in actions]


def _opened(spec: ActionSpec, endpoint: Endpoint[Any]) -> Endpoint[Any]:
    return msgspec.structs.replace(
        endpoint,
        title=f"tool {spec.name}",
        timeout=spec.policy.timeout,
        interceptors=limited(endpoint.interceptors, spec.concurrency),
    )


def _tool(action: Handled) -> Tool:
    schemas = Schemas([action.takes, action.gives])
    takes, gives = schemas.of(action.takes), schemas.of(action.gives)
    has_fields, is_object = _is_object(takes, schemas), _is_object(gives, schemas)
    takes_nothing = action.takes is NoneType
    if takes_nothing:
        takes = _object({})
    elif not has_fields:
        takes = _object({_ARGUMENT: takes})
    if action.streams:
        gives = _object({_RESULT: {"type": "array", "items": gives}})
    elif not is_object:
        gives = _object({_RESULT: gives})
    about = action.about
    return Tool(
        action.name,
        about.summary,
        about.text,
        _whole(takes, schemas),
        _whole(gives, schemas),
        has_fields=has_fields,
        takes_nothing=takes_nothing,
        is_object=is_object,
        streams=action.streams,
    )


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": [*properties]}


def _is_object(schema: Json, schemas: Schemas) -> bool:
    return _resolved(schema, schemas).get("type") == "object"


def _resolved(schema: Json, schemas: Schemas) -> Json:
    reference = schema.get("$ref")
    return schema if reference is None else schemas.components[str(reference).rpartition("/")[2]]


def _whole(schema: Json, schemas: Schemas) -> Json:
    """A schema that stands alone, with an object at its root."""
    root = _resolved(schema, schemas)
    names = sorted(reachable(root, schemas.components))
    whole = {**root, "$defs": {name: schemas.components[name] for name in names}} if names else root
    return msgspec.json.decode(msgspec.json.encode(whole).replace(_COMPONENTS, b'"#/$defs/'), type=Json)
