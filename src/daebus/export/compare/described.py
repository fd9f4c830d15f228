"""The contracts of an app as a file has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import NoneType
from typing import Literal

import msgspec

from daebus.declare.paths import path_parameters, path_shape, success_status
from daebus.declare.rooms import Room, shape_of
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import RouteSpec
from daebus.delivery.endpoint import Endpoint
from daebus.export.contracts import About, AppContracts, Handled, contracts_of, read_about
from daebus.export.routes import DescribedWithRoutes, declared_errors, inputs_of
from daebus.http.parameters import is_plain, read_argument
from daebus.payloads.codec import is_json_type
from daebus.payloads.encodable import Encodable

from .reading import ShapeReader
from .shapes import Plain, Record, Shape

__all__ = ["Access", "Call", "Contracts", "Event", "Input", "RoomJoin", "Route", "describe", "describe_calls"]


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


def describe(made: DescribedWithRoutes) -> Contracts:
    """The contracts of an app."""
    return _Describer(ShapeReader()).describe(made, contracts_of(made))


def describe_calls(service: str, calls: Sequence[Handled]) -> Contracts:
    """The contracts of actions alone, as a caller has them: without what only their service knows."""
    shapes = ShapeReader()
    actions = {each.name: Call(shapes.read(each.takes), shapes.read(each.gives), each.streams) for each in calls}
    return Contracts(format="daebus-contracts-1", service=service, actions=actions, records=shapes.records)


class _Describer:
    def __init__(self, shapes: ShapeReader) -> None:
        self._shapes = shapes

    def describe(self, made: DescribedWithRoutes, contracts: AppContracts) -> Contracts:
        listens: dict[str, Event] = {}
        for each in contracts.listeners:
            earlier = listens.get(each.channel, Event(()))
            listens[each.channel] = Event((*earlier.shapes, self._read(each.event)), each.durable)
        return Contracts(
            format="daebus-contracts-1",
            service=contracts.service,
            actions={each.name: self._call(each) for each in contracts.actions},
            routes=dict(self._routes(made)),
            listens=listens,
            publishes={each.name: Event((self._read(each.types[0]),), each.durable) for each in contracts.publishes},
            socket=contracts.path,
            connect=None if contracts.connect is None else self._call(contracts.connect),
            messages={each.name: self._call(each) for each in contracts.messages},
            rooms={shape_of(room): self._room(room, handled) for room, handled in contracts.rooms},
            sends={each.name: self._read(each.types[0]) for each in contracts.sends},
            records=self._shapes.records,
        )

    def _read(self, kind: object) -> Shape:
        try:
            return self._shapes.read(kind)
        except (TypeError, NameError):  # such as a class of Litestar: no type of JSON
            return Plain("custom", str(getattr(kind, "__qualname__", kind)))

    def _call(self, given: Handled) -> Call:
        takes, gives = self._read(given.takes), self._read(given.gives)
        return Call(takes, gives, given.streams, _access(given.about), given.is_tool)

    def _room(self, room: Room[Encodable], handled: Handled) -> RoomJoin:
        return RoomJoin(
            name=room.name,
            parameters=room.parameters,
            join=self._call(handled),
            history=room.history,
            keep=room.keep,
            history_bytes=room.history_bytes,
            latest=room.latest,
        )

    def _routes(self, made: DescribedWithRoutes) -> Iterator[tuple[str, Route]]:
        prefix = "" if made.http is None else str(made.http.litestar.get("path") or "")
        for spec, endpoint in made.plans.compiled():
            if isinstance(spec, RouteSpec):
                for method in spec.methods:
                    yield f"{method} {path_shape(f'{prefix}/{spec.path}')}", self._route(spec, endpoint)

    def _route(self, spec: RouteSpec, endpoint: Endpoint[object]) -> Route:
        signature = endpoint.signature
        gives = NoneType if signature.returns is MISSING else signature.returns
        return Route(
            inputs=tuple(self._inputs(spec, signature)),
            gives=self._read(gives),
            status=spec.status_code or success_status(gives, has_events=spec.has_events),
            streams=spec.has_events,
            access=_access(read_about(spec, endpoint)),
            event_id=spec.event_id,
            resumes=spec.resume is not None,
            errors=tuple(error.__name__ for error in declared_errors(spec)),
            parameters=path_parameters(spec.path),
        )

    def _inputs(self, spec: RouteSpec, signature: Signature) -> Iterator[Input]:
        names = path_parameters(spec.path)
        for parameter in inputs_of(signature):
            if is_plain(parameter) and is_json_type(parameter.annotation):
                given = read_argument(parameter, names)
                # The names in a path are not in requests, only their order is.
                name = str(names.index(given.wire) + 1) if given.place == "path" else given.wire
                shape = self._read(given.kind)
                yield Input(given.place, name, shape, is_required=given.default is MISSING)


def _access(about: About) -> Access:
    return Access(about.refuses_strangers, tuple(about.requires))
