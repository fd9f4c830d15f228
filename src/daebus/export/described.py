"""Describes the contracts of an app, to compare them with others."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType

from daebus.compare.contracts import Access, Call, Contracts, Event, Input, RoomJoin, Route
from daebus.compare.reading import ShapeReader
from daebus.compare.shapes import Plain, Shape
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

__all__ = ["describe"]


def describe(made: DescribedWithRoutes) -> Contracts:
    """The contracts of an app."""
    return _Describer(ShapeReader()).describe(made, contracts_of(made))


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
