"""The AsyncAPI 3.0 document of an app: its actions, channels, WebSocket messages and rooms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import NoneType

from daebus.asgi.backends import Backend, backends_of
from daebus.declare.contracts import Channel
from daebus.mistakes.show_type import show_type
from daebus.payloads.encodable import Encodable
from daebus.payloads.naming import numbered
from daebus.payloads.schemas import UNKNOWN_VERSION, Json, Schemas, members_of
from daebus.protocol.messages import action_stream, channel_stream

from .asyncapi_security import SecurityDocument
from .asyncapi_sockets import SocketDocument
from .contracts import About, AnyAction, AppContracts, Described, Handled, Listened, contracts_of, types_of
from .messages import ERROR, NUMBERED_KEY, Keys, about_of, as_key, message, reply, request

__all__ = ["asyncapi"]

_BUS = [{"$ref": "#/servers/bus"}]
_SLOT = re.compile(r"\{[^}]*\}")


def asyncapi(made: Described) -> Json:
    """The AsyncAPI document of an app.

    What the app receives are operations with the action ``receive``; what its code mentions and therefore may send are
    operations with the action ``send``.

    Source:
        https://www.asyncapi.com/docs/reference/specification/v3.0.0
    """
    backends = [] if made.http is None else backends_of(made.http.litestar)
    return _Document(contracts_of(made), backends).build()


class _Document:
    def __init__(self, contracts: AppContracts, backends: Iterable[Backend]) -> None:
        self._contracts = contracts
        self._security = SecurityDocument(backends, contracts.path)
        # The discriminator of AsyncAPI is a text, and stands for names of schemas; the tag in each schema says it all.
        self._schemas = Schemas(types_of(contracts), has_discriminators=False)
        self._keys = Keys()
        self._channels: dict[str, Json] = {}
        self._operations: dict[str, Json] = {}

    def build(self) -> Json:
        contracts = self._contracts
        for handled in contracts.actions:
            self._add_action("receive", contracts.service, handled)
        for action in contracts.calls:
            self._add_call(action)
        for listened in contracts.listeners:
            self._add_listener(listened)
        for channel in contracts.publishes:
            self._add_publisher(channel)
        if contracts.path is not None:
            sockets = SocketDocument(contracts, self._schemas, self._keys, self._security)
            self._channels["websocket"] = sockets.channel()
            self._operations |= sockets.operations()
        return self._whole()

    def _whole(self) -> Json:
        has_socket = self._contracts.path is not None
        servers = {"bus": _server("redis", "localhost:6379", "The Redis or Valkey server of the bus.")}
        if has_socket:
            servers["websocket"] = _server("ws", "localhost:8000", "The HTTP server of the service.")
        return {
            "asyncapi": "3.0.0",
            "info": {"title": self._contracts.service, "version": self._contracts.version or UNKNOWN_VERSION},
            "defaultContentType": "application/json",
            "servers": servers,
            "channels": self._channels,
            "operations": self._operations,
            "components": {
                "schemas": {**self._schemas.components, "daebus.Error": ERROR},
                "securitySchemes": self._security.schemes,
            },
        }

    def _add_call(self, action: AnyAction) -> None:
        takes, gives = action.types
        streams = type(action).__name__ == "StreamAction"
        about = _sent(f"call of {action.name}", f"Calls {action.name} of {action.service}")
        self._add_action("send", str(action.service), Handled(action.name, takes, gives, streams, about))

    def _add_action(self, direction: str, service: str, handled: Handled) -> None:
        """The channel of an action, that of its replies, and the operation."""
        name, keys = handled.name, self._keys
        taken, given = self._schemas.of(handled.takes), self._schemas.of(handled.gives)
        key = operation = keys.of("action", name)
        replies = keys.of("action", name, "replies")
        if direction == "send":
            key, operation = keys.of(service, "action", name), keys.of(service, name)
            replies = keys.of(service, "action", name, "replies")
        self._channels[key] = {
            **_address(action_stream(service, name)),
            "servers": _BUS,
            "title": f"The requests for the action {name}",
            "description": "A Redis stream. The message is the field `request` of an entry (XADD).",
            "messages": {"request": request(service, name, taken)},
        }
        self._channels[replies] = {
            "address": None,
            "servers": _BUS,
            "title": f"The replies of the action {name}",
            "description": "The pub/sub channel that the request names in `reply_to`.",
            "messages": reply(name, given, streams=handled.streams),
        }
        self._operations[operation] = {
            "action": direction,
            **self._on_channel(key),
            "reply": {"address": {"location": "$message.payload#/reply_to"}, **self._on_channel(replies)},
            **about_of(handled.about),
            **self._security.on_bus(handled.about),
        }

    def _add_listener(self, listened: Listened) -> None:
        key = self._keys.of("listen", listened.channel, listened.listener)
        self._operations[key] = {
            "action": "receive",
            **self._on_channel(*self._add_channel(listened.channel, listened.event, durable=listened.durable)),
            **about_of(listened.about),
            **self._security.on_bus(listened.about),
        }

    def _add_publisher(self, channel: Channel[Encodable]) -> None:
        about = _sent(f"publish {channel.name}", f"Publishes events of {channel.name}")
        self._operations[self._keys.of("publish", channel.name)] = {
            "action": "send",
            **self._on_channel(*self._add_channel(channel.name, channel.types[0], durable=channel.durable)),
            **about_of(about),
        }

    def _on_channel(self, key: str, names: Iterable[str] | None = None) -> Json:
        """A channel, and its messages, as an operation or its reply names them; `names`: only these."""
        known = self._channels[key]["messages"] if names is None else names
        return {
            "channel": {"$ref": f"#/channels/{key}"},
            "messages": [{"$ref": f"#/channels/{key}/messages/{one}"} for one in known],
        }

    def _add_channel(self, name: str, event: object, *, durable: bool) -> tuple[str, list[str]]:
        """Add a channel and the messages of a type of events; returns the key of the channel, and those of them."""
        key = self._keys.of("channel", name)
        text = (
            "A Redis stream. The message is the field `event` of an entry (XADD)." if durable else "A pub/sub channel."
        )
        channel = self._channels.setdefault(
            key,
            {
                **(_address(channel_stream(name)) if durable else {"address": name}),
                "servers": _BUS,
                "title": f"The events of {name}",
                "description": text,
                "messages": {},
            },
        )
        names: list[str] = []
        for kind in members_of(event):
            shown = show_type(kind) if kind is not NoneType else "nothing"
            names.append(_add_message(channel["messages"], shown, self._schemas.of(kind)))
        return key, names


def _add_message(messages: dict[str, Json], shown: str, payload: Json) -> str:
    """Add the message of a type to those of a channel; types with the same name have different keys."""
    made = message(shown, payload)
    key = next(name for name in numbered(as_key(shown), NUMBERED_KEY) if messages.get(name, made) == made)
    messages[key] = made
    return key


def _sent(title: str, summary: str) -> About:
    """What is known of a message that the code sends."""
    return About(title, summary, description="", blueprint="", requires=(), needs=None)


def _address(key: str) -> Json:
    """The address of a key of Redis: its braces are text, and those of an AsyncAPI address are a parameter."""
    found = _SLOT.search(key)
    if found is None:
        return {"address": key}
    slot = {
        "enum": [found[0]],
        "default": found[0],
        "description": "The hash tag of the key: the braces are a part of it.",
    }
    return {"address": key.replace(found[0], "{slot}"), "parameters": {"slot": slot}}


def _server(protocol: str, host: str, text: str) -> Json:
    variable = {"default": host, "description": "The address of the server."}
    return {"host": "{host}", "protocol": protocol, "description": text, "variables": {"host": variable}}
