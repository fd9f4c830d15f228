"""The contracts of an app: what it receives, what it answers, and what its code sends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Protocol, TypeAlias, TypeGuard

import msgspec

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.declare.contracts import Action, Channel, Contract, Message, StreamAction
from daebus.declare.decorated import payload_parameters
from daebus.declare.rooms import Room
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import ActionSpec, JoinSpec, ListenSpec, SocketSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.identity.needs import UserNeeds, user_needs
from daebus.payloads.encodable import Encodable
from daebus.websocket.clients import Client

from .mentions import mentioned

__all__ = [
    "About",
    "AnyAction",
    "AppContracts",
    "Described",
    "Handled",
    "Listened",
    "action_contract",
    "contracts_of",
    "handled_by",
    "is_channel",
    "listened_by",
    "read_about",
    "types_of",
]

AnyAction: TypeAlias = Action[Encodable, Encodable] | StreamAction[Encodable, Encodable]


class About(msgspec.Struct, frozen=True):
    """What a reader wants to know of a handler.

    Attributes:
        title: The kind and the name, such as ``action get_user``.
        summary: The first line of its docstring, or its name as words.
        description: The rest of its docstring.
        blueprint: The name of its blueprint.
        requires: The names of its guards.
        needs: What it needs of the sender of a message; None: the app is the sender.
    """

    title: str
    summary: str
    description: str
    blueprint: str
    requires: Sequence[str]
    needs: UserNeeds | None

    @property
    def text(self) -> str:
        """All of its documentation."""
        return "\n\n".join(filter(None, (self.summary, self.description)))

    @property
    def refuses_strangers(self) -> bool:
        """Whether the handler takes messages of known users only."""
        return self.needs is not None and bool(self.needs.refuses_strangers)


class Handled(msgspec.Struct, frozen=True):
    """A message that the app answers.

    Attributes:
        name: The name of the action, or the type of the WebSocket message; of a room, the name of its contract.
        takes: The type of the payload; ``NoneType``: none.
        gives: The type of the answer, or of each item of a stream; ``NoneType``: none.
        streams: Whether the answer is a stream.
        about: The handler.
        is_tool: Whether it is an action that is open to assistants.
    """

    name: str
    takes: object
    gives: object
    streams: bool
    about: About
    is_tool: bool = False


class Listened(msgspec.Struct, frozen=True):
    """A channel to which the app listens.

    Attributes:
        channel: The name of the channel.
        event: The type of its events.
        durable: Whether its events are kept until they are handled.
        contract: Its contract; None: the listener names it.
        listener: The name of the listener.
        about: The handler.
    """

    channel: str
    event: object
    durable: bool
    listener: str
    about: About
    contract: Channel[Encodable] | None


class AppContracts(msgspec.Struct, frozen=True):
    """The contracts of an app.

    Attributes:
        service: Its name.
        version: Its version; None: it is unknown.
        actions: The actions that it serves.
        listeners: The channels to which it listens.
        path: The path of its WebSocket; None: it has none.
        connect: The handler of new WebSocket clients; None: it has none.
        messages: The WebSocket messages that it handles.
        rooms: The rooms that its WebSocket clients can join, each with the handler of that.
        calls: The actions of other services that its code mentions.
        publishes: The channels that its code mentions.
        sends: The WebSocket messages that its code mentions.
    """

    service: str
    version: str | None
    actions: Sequence[Handled]
    listeners: Sequence[Listened]
    path: str | None
    connect: Handled | None
    messages: Sequence[Handled]
    rooms: Sequence[tuple[Room[Encodable], Handled]]
    calls: Sequence[AnyAction]
    publishes: Sequence[Channel[Encodable]]
    sends: Sequence[Message[Encodable]]


class Plans(Protocol):
    """The compiled handlers of an app."""

    def compiled(self) -> Sequence[tuple[Spec, Endpoint[object]]]:
        """The handlers in order of registration, without replaced ones."""
        ...


class Described(Protocol):
    """The parts of an app of which its contracts are made."""

    @property
    def service(self) -> str:
        """The name under which it is served."""
        ...

    @property
    def version(self) -> str | None:
        """Its version; None: it is unknown."""
        ...

    @property
    def plans(self) -> Plans:
        """Its handlers."""
        ...

    @property
    def http(self) -> DaebusHttp | None:
        """Its HTTP settings; None: it has no HTTP."""
        ...

    @property
    def websocket(self) -> DaebusWebSocket | None:
        """Its WebSocket settings; None: it has no WebSockets."""
        ...


def contracts_of(made: Described) -> AppContracts:
    """The contracts of an app, in the order of registration."""
    compiled = made.plans.compiled()
    found = mentioned([spec.function for spec, _ in compiled])
    sockets = [(spec, endpoint) for spec, endpoint in compiled if isinstance(spec, SocketSpec)]
    connect = [handled_by("connect", spec, endpoint) for spec, endpoint in sockets if spec.event == "connect"]
    return AppContracts(
        service=made.service,
        version=made.version,
        actions=[action_contract(spec, endpoint) for spec, endpoint in compiled if isinstance(spec, ActionSpec)],
        listeners=[listened_by(spec, endpoint) for spec, endpoint in compiled if isinstance(spec, ListenSpec)],
        path=None if made.websocket is None else made.websocket.path,
        connect=next(iter(connect), None),
        messages=[handled_by(spec.type, spec, endpoint) for spec, endpoint in sockets if spec.event == "message"],
        rooms=[
            (spec.room, handled_by(spec.room.name, spec, endpoint))
            for spec, endpoint in compiled
            if isinstance(spec, JoinSpec)
        ],
        calls=[one for one in found if _is_call(one, made.service)],
        publishes=[one for one in found if is_channel(one)],
        sends=[one for one in found if _is_message(one)],
    )


def listened_by(spec: ListenSpec, endpoint: Endpoint[object]) -> Listened:
    """The channel of a listener."""
    event = spec.contract.types[0] if spec.contract else _payload(endpoint.signature)
    return Listened(spec.channel, event, spec.is_durable, spec.name, read_about(spec, endpoint), spec.contract)


def _is_call(contract: Contract, own: str) -> TypeGuard[AnyAction]:
    """Whether it is an action of another service."""
    return isinstance(contract, Action | StreamAction) and contract.service not in (None, own)


def is_channel(contract: Contract) -> TypeGuard[Channel[Encodable]]:
    """Whether it is a channel."""
    return isinstance(contract, Channel)


def _is_message(contract: Contract) -> TypeGuard[Message[Encodable]]:
    return isinstance(contract, Message)


def action_contract(spec: ActionSpec, endpoint: Endpoint[object]) -> Handled:
    """The contract of an action."""
    made = msgspec.structs.replace(handled_by(spec.name, spec, endpoint), is_tool=spec.is_tool)
    if spec.contract is None:
        return made
    takes, gives = spec.contract.types
    return msgspec.structs.replace(made, takes=takes, gives=gives)


def handled_by(name: str, spec: Spec, endpoint: Endpoint[object]) -> Handled:
    """The message that a handler answers."""
    signature = endpoint.signature
    gives = NoneType if signature.returns is MISSING else signature.returns
    return Handled(name, _payload(signature), gives, signature.streams, read_about(spec, endpoint))


def _payload(signature: Signature) -> object:
    """The type of the parameter that takes the payload."""
    return next((one.annotation for one in payload_parameters(signature) if one.annotation is not Client), NoneType)


def read_about(spec: Spec, endpoint: Endpoint[object]) -> About:
    """What a reader wants to know of a handler."""
    summary, description = spec.documentation
    return About(
        title=spec.title,
        summary=summary,
        description=description,
        blueprint=spec.blueprint,
        requires=[guard.__name__ for guard in spec.requires],
        needs=user_needs(endpoint),
    )


def types_of(contracts: AppContracts) -> Iterator[object]:
    """All types of the payloads, the answers and the events."""
    connect = [] if contracts.connect is None else [contracts.connect]
    for handled in (*contracts.actions, *connect, *contracts.messages, *(one for _, one in contracts.rooms)):
        yield handled.takes
        yield handled.gives
    for listened in contracts.listeners:
        yield listened.event
    for contract in (*contracts.calls, *contracts.publishes, *contracts.sends):
        yield from contract.types
