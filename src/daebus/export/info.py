"""What a service serves, as an instance tells those who ask: its handlers, and the JSON Schemas of their messages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import NoneType

import msgspec

from daebus.compare.calls import Called, describe_calls
from daebus.compare.contracts import Contracts
from daebus.declare.specs import ActionSpec, JoinSpec, ListenSpec, SocketSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.payloads.schemas import Json, Schemas
from daebus.protocol.discovery import HandlerInfo, kind_and_name

from .contracts import Handled, action_contract, handled_by, listened_by, read_about
from .described import describe
from .routes import DescribedWithRoutes

__all__ = ["ServiceInfo", "hash_of", "service_info"]


class ServiceInfo(msgspec.Struct, frozen=True):
    """What a service serves.

    Attributes:
        handlers: Its handlers in the order of registration.
        schemas: The JSON Schemas to which those of the handlers refer.
        contracts: A hash of all its contracts.
    """

    handlers: Sequence[HandlerInfo]
    schemas: Mapping[str, Json]
    contracts: str


def service_info(made: DescribedWithRoutes) -> ServiceInfo:
    """What an app serves."""
    read = [(spec, endpoint, _handled(spec, endpoint)) for spec, endpoint in made.plans.compiled()]
    schemas = Schemas([kind for _, _, handled in read for kind in _kinds(handled)], has_discriminators=False)
    handlers = [_Described(made.service, schemas).handler(*each) for each in read]
    return ServiceInfo(handlers, schemas.components, hash_of(describe(made)))


def hash_of(contracts: Contracts) -> str:
    """A hash of contracts, which is equal for equal contracts: the first 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(msgspec.json.encode(contracts, order="sorted")).hexdigest()[:16]


def _handled(spec: Spec, endpoint: Endpoint[object]) -> Handled | None:
    """The message of a handler; None: it has none, or OpenAPI describes it."""
    match spec:
        case ActionSpec():
            return action_contract(spec, endpoint)
        case ListenSpec():
            listened = listened_by(spec, endpoint)
            return Handled(listened.channel, listened.event, NoneType, streams=False, about=listened.about)
        case SocketSpec() | JoinSpec():
            return handled_by(kind_and_name(spec)[1], spec, endpoint)
        case _:
            return None


def _kinds(handled: Handled | None) -> Sequence[object]:
    given = () if handled is None else (handled.takes, handled.gives)
    return [kind for kind in given if kind is not NoneType]


class _Described:
    def __init__(self, service: str, schemas: Schemas) -> None:
        self._service = service
        self._schemas = schemas

    def handler(self, spec: Spec, endpoint: Endpoint[object], handled: Handled | None) -> HandlerInfo:
        about, (kind, name) = read_about(spec, endpoint), kind_and_name(spec)
        return HandlerInfo(
            title=spec.title,
            kind=kind,
            name=name,
            blueprint=spec.blueprint,
            summary=about.summary,
            requires=about.requires,
            user=None if about.needs is None else about.needs.refuses_strangers,
            takes=None if handled is None else self._schema(handled.takes),
            gives=None if handled is None else self._schema(handled.gives),
            streams=handled is not None and handled.streams,
            contract=self._contract(handled) if handled is not None and isinstance(spec, ActionSpec) else None,
        )

    def _contract(self, handled: Handled) -> str:
        called = Called(handled.name, handled.takes, handled.gives, handled.streams)
        return hash_of(describe_calls(self._service, [called]))

    def _schema(self, kind: object) -> Json | None:
        return None if kind is NoneType else self._schemas.of(kind)
