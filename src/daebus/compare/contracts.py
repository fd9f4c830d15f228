"""The contracts of an app as a file has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from .shapes import Record, Shape

__all__ = ["Access", "Call", "Contracts", "Event", "Input", "RoomJoin", "Route"]


class Access(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who may use something.

    Attributes:
        needs_user: Whether strangers are refused.
        guards: The names of its guards.
    """

    needs_user: bool = False
    guards: tuple[str, ...] = ()


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is answered: an action, a WebSocket message, the join of a room.

    Attributes:
        takes: The payload; null: none.
        gives: The answer, or each item of a stream; null: none.
        streams: Whether the answer is a stream.
        access: Who may use it.
        is_tool: Whether it is an action that is open to assistants.
    """

    takes: Shape
    gives: Shape
    streams: bool = False
    access: Access = Access()
    is_tool: bool = False


class RoomJoin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rooms of a contract, which WebSocket clients can join.

    Attributes:
        name: The name of the contract.
        parameters: The names of its parameters.
        join: What a client gives and gets when it joins.
        history: How many messages each room keeps.
        keep: For how long they are kept after the last one.
        history_bytes: How many bytes of messages each room keeps.
        latest: Whether a client gets the last message when it joins.
    """

    name: str
    parameters: tuple[str, ...]
    join: Call
    history: int
    keep: timedelta
    history_bytes: int
    latest: bool = False


class Input(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter of a route, or its body; `place`: ``path``, ``query`` or ``body``."""

    place: str
    name: str
    shape: Shape
    is_required: bool = True


class Route(msgspec.Struct, frozen=True, omit_defaults=True):
    """A route.

    Attributes:
        inputs: Its parameters and its body.
        gives: The answer, or each event of a stream; null: none.
        status: The status of a success.
        streams: Whether the answer is server-sent events.
        access: Who may use it.
        event_id: The field of the items that is the id of each event; None: events have no id.
        resumes: Whether a client that comes back gets the events after the last one that it has.
        errors: The names of the errors that it declares.
        parameters: The names of the parameters in its path, which are not in requests.
    """

    inputs: tuple[Input, ...]
    gives: Shape
    status: int
    streams: bool = False
    access: Access = Access()
    event_id: str | None = None
    resumes: bool = False
    errors: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """The events of a channel.

    Attributes:
        shapes: Their types: one for each listener, or for each contract that is published.
        durable: Whether they are kept until they are handled.
    """

    shapes: tuple[Shape, ...]
    durable: bool = False


class Contracts(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The contracts of an app.

    Attributes:
        format: The version of the form of the file.
        service: The name of the service.
        actions: The actions that it serves, by name.
        routes: Its routes, by method and path, with ``<>`` for parameters.
        listens: The channels to which it listens, by name.
        publishes: The channels to which it publishes, by name.
        socket: The path of its WebSocket; None: it has none.
        connect: The handshake of its WebSocket clients; None: everyone may connect.
        messages: The WebSocket messages that it handles, by type.
        rooms: The rooms that WebSocket clients can join, by name, with ``*`` for parameters.
        sends: The WebSocket messages that it sends, by type.
        records: The records in the types, by name.
    """

    format: Literal["daebus-contracts-1"]
    service: str
    actions: Mapping[str, Call] = {}
    routes: Mapping[str, Route] = {}
    listens: Mapping[str, Event] = {}
    publishes: Mapping[str, Event] = {}
    socket: str | None = None
    connect: Call | None = None
    messages: Mapping[str, Call] = {}
    rooms: Mapping[str, RoomJoin] = {}
    sends: Mapping[str, Shape] = {}
    records: Mapping[str, Record] = {}
