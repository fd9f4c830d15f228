"""The reference of an AsyncAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from daebus.payloads.schemas import Json

from .reference import Components, Group, Info, Operation, Part, Reference, Schema

__all__ = ["read_asyncapi"]


class _Reference(msgspec.Struct, rename={"ref": "$ref"}):
    ref: str

    @property
    def name(self) -> str:
        """The last part of the reference."""
        return self.ref.rpartition("/")[2]


class _Message(msgspec.Struct):
    name: str = ""
    payload: Schema = msgspec.field(default_factory=Schema)


class _Parameter(msgspec.Struct):
    default: str = ""


class _Channel(msgspec.Struct):
    address: str | None = None
    description: str = ""
    parameters: dict[str, _Parameter] = {}
    messages: dict[str, _Message] = {}

    @property
    def shown(self) -> str:
        """The address, with the parameters that have only one value filled in."""
        found = self.address or ""
        for name, parameter in self.parameters.items():
            found = found.replace(f"{{{name}}}", parameter.default)
        return found


class _Reply(msgspec.Struct):
    channel: _Reference
    messages: list[_Reference] = []


class _Tag(msgspec.Struct):
    name: str


class _Operation(msgspec.Struct):
    action: str
    channel: _Reference
    title: str = ""
    summary: str = ""
    description: str = ""
    messages: list[_Reference] = []
    reply: _Reply | None = None
    tags: list[_Tag] = []
    security: list[_Reference] = []


class _Document(msgspec.Struct):
    info: Info
    channels: dict[str, _Channel] = {}
    operations: dict[str, _Operation] = {}
    components: Components = msgspec.field(default_factory=Components)


def read_asyncapi(document: Json) -> Reference:
    """The reference of a document of version 3.0."""
    read = msgspec.convert(document, _Document)
    groups: dict[str, Group] = {}
    for key, given in read.operations.items():
        name = next((tag.name for tag in given.tags), "Sent by the service" if given.action == "send" else "Other")
        group = groups.setdefault(name, Group(name, []))
        group.operations.append(_operation(key, given, read.channels))
    ordered = sorted(groups.values(), key=lambda group: group.name == "Sent by the service")
    return Reference(read.info.title, "Messages", "asyncapi.json", ordered, read.components.schemas)


def _operation(key: str, given: _Operation, channels: Mapping[str, _Channel]) -> Operation:
    channel = channels[given.channel.name]
    notes = {"Channel": f"`{channel.shown}`", "": channel.description}
    if given.security:
        notes["Needs"] = " or ".join(one.name for one in given.security)
    parts = list(_parts(given.messages, channel, reply=False))
    if given.reply is not None:
        parts += _parts(given.reply.messages, channels[given.reply.channel.name], reply=True)
    return Operation(
        id=key,
        badge=given.action.upper(),
        address=given.title or key,
        summary=given.summary,
        description=given.description,
        notes={name: text for name, text in notes.items() if text},
        parts=parts,
    )


def _parts(messages: list[_Reference], channel: _Channel, *, reply: bool) -> Iterator[Part]:
    for reference in messages:
        message = channel.messages[reference.name]
        kind = "in" if not reply else "error" if reference.name == "error" else "out"
        yield Part(message.name or reference.name, message.payload, "Reply" if reply else "", kind=kind)
