"""`KINDS`: the table of the kinds of handlers, one row for each decorator, with its spec, its rule and its part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import NoneType
from typing import Any, Generic, TypeAlias, TypeVar, cast

import msgspec
from dependency_injector import containers

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.declare.contracts import StreamAction
from daebus.declare.paths import RESERVED, path_parameters
from daebus.declare.rooms import Room
from daebus.declare.running import Running
from daebus.declare.schedules import Run
from daebus.declare.signatures import Signature
from daebus.declare.specs import (
    ActionSpec,
    BackgroundSpec,
    JoinSpec,
    LifecycleSpec,
    ListenSpec,
    RouteSpec,
    SocketSpec,
    Spec,
    ThreadSpec,
)
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.interceptors import NONE, Interceptors
from daebus.delivery.workers import OwnThread, WorkerPool
from daebus.http.checks import check_route
from daebus.mistakes.places import made_at
from daebus.payloads.codec import encode
from daebus.payloads.encodable import Encodable
from daebus.websocket.clients import Client
from daebus.wiring.compiling import compile_endpoint
from daebus.wiring.rules import Rule

__all__ = [
    "ACTION",
    "BACKGROUND",
    "KINDS",
    "LISTEN",
    "ON_START",
    "ON_STOP",
    "ROUTE",
    "SOCKET",
    "SOCKET_CONNECT",
    "SOCKET_DISCONNECT",
    "SOCKET_JOIN",
    "THREAD",
    "Kind",
    "compile_handler",
    "kind_of",
]

SpecT = TypeVar("SpecT", bound=Spec)
R = TypeVar("R")

_Strangers: TypeAlias = Mapping[type, tuple[str, str]]

_CLIENT: _Strangers = {
    Client: ("socket handlers", "remove it; `clients: Clients` right of the * reaches every client by its id")
}
_RUNNING: _Strangers = {Running: ("threads", "remove it")}
_RUN: _Strangers = {Run: ("background tasks of the scope 'service'", "remove it")}
_STRANGERS: _Strangers = {**_CLIENT, **_RUNNING, **_RUN}
_NOT_SOCKETS: _Strangers = {**_RUNNING, **_RUN}
_NOT_TASKS: _Strangers = {**_CLIENT, **_RUNNING}


class Kind(msgspec.Struct, Generic[SpecT, R], frozen=True, eq=False):
    """A kind of handler.

    Attributes:
        name: The decorator.
        spec: What the decorator records.
        rule: The allowed signatures of such a handler.
        encoder: Returns the function that encodes the handler's result.
        part: The part that serves it, by the name of its class in `daebus.app.running`.
        event: The event of `spec` that this kind handles; None: `spec` has no events.
        needs: The component that it needs; None: it needs none.
    """

    name: str
    spec: type[SpecT]
    rule: Callable[[SpecT], Rule]
    encoder: Callable[[Signature], Callable[[object], R]]
    part: str
    event: str | None = None
    needs: type[DaebusHttp | DaebusWebSocket] | None = None


def kind_of(spec: Spec) -> Kind[Any, Any]:
    """The row of a recorded handler."""
    return _BY_SPEC[type(spec), getattr(spec, "event", None)]


def _action_rule(spec: ActionSpec) -> Rule:
    contract = spec.contract
    return Rule(
        kind="an action",
        payload="the payload",
        replies=True,
        streams=None if contract is None else isinstance(contract, StreamAction),
        contract=() if contract is None else contract.types,
        contract_place=made_at(contract),
        strangers=_STRANGERS,
    )


def _route_rule(spec: RouteSpec) -> Rule:
    own = cast("Mapping[str, object]", spec.options.get("dependencies") or {})
    return Rule(
        kind="a route",
        free=True,
        reserved=RESERVED.union(own),
        path=frozenset(path_parameters(spec.path)),
        strangers=_STRANGERS,
        check=partial(check_route, spec),
    )


def _listen_rule(spec: ListenSpec) -> Rule:
    return Rule(
        kind="a listener",
        payload="the event",
        required=True,
        silent=True,
        events=True,
        contract=() if spec.contract is None else spec.contract.types,
        contract_place=made_at(spec.contract),
        strangers=_STRANGERS,
    )


def _socket_rule(_: SocketSpec) -> Rule:
    kind, payload = "a socket handler", "the data"
    return Rule(kind=kind, payload=payload, parts=(Client,), replies=True, streams=None, strangers=_NOT_SOCKETS)


def _connect_rule(_: SocketSpec) -> Rule:
    kind, payload = "a connect handler", "the parameters"
    return Rule(kind=kind, payload=payload, parts=(Client,), replies=True, lax=True, strangers=_NOT_SOCKETS)


def _join_rule(spec: JoinSpec) -> Rule:
    room = spec.room
    return Rule(
        kind="a join handler",
        fields=frozenset(room.parameters),
        gets=f"{_values_of(room)} from the name of the room",
        parts=(Client,),
        replies=True,
        contract=(NoneType, *room.types),
        contract_place=made_at(room),
        strangers=_NOT_SOCKETS,
    )


def _values_of(room: Room[Encodable]) -> str:
    return f"only {' and '.join(map(repr, room.parameters))}" if room.parameters else "no values"


def _disconnect_rule(_: SocketSpec) -> Rule:
    return Rule(kind="a disconnect handler", parts=(Client,), silent=True, strangers=_NOT_SOCKETS)


def _background_rule(spec: BackgroundSpec) -> Rule:
    if spec.scope == "replica":
        return Rule(kind="a background task of the scope 'replica'", silent=True, sent=False, strangers=_STRANGERS)
    return Rule(kind="a background task", parts=(Run,), silent=True, sent=False, strangers=_NOT_TASKS)


def _thread_rule(_: ThreadSpec) -> Rule:
    return Rule(kind="a thread", parts=(Running,), thread=True, silent=True, sent=False, strangers={**_CLIENT, **_RUN})


def _lifecycle_rule(spec: LifecycleSpec) -> Rule:
    return Rule(kind=f"an on_{spec.event} handler", silent=True, sent=False, strangers=_STRANGERS)


def _encoding(_: Signature) -> Callable[[object], bytes]:
    return encode


def _unchanged(_: Signature) -> Callable[[object], object]:
    """The result of a route is returned unchanged; Litestar encodes it."""
    return lambda result: result


def _ignoring(_: Signature) -> Callable[[object], None]:
    return lambda _result: None


def _answering(signature: Signature) -> Callable[[object], bytes | None]:
    is_silent = signature.returns is NoneType and not signature.streams
    return _ignoring(signature) if is_silent else encode


ACTION = Kind("action", ActionSpec, _action_rule, _encoding, "Actions")
ROUTE = Kind("route", RouteSpec, _route_rule, _unchanged, "WebServers", needs=DaebusHttp)
LISTEN = Kind("listen", ListenSpec, _listen_rule, _ignoring, "Channels")
SOCKET = Kind("socket", SocketSpec, _socket_rule, _answering, "Sockets", "message", DaebusWebSocket)
SOCKET_CONNECT = Kind("socket_connect", SocketSpec, _connect_rule, _answering, "Sockets", "connect", DaebusWebSocket)
SOCKET_JOIN = Kind("socket_join", JoinSpec, _join_rule, _encoding, "Sockets", needs=DaebusWebSocket)
SOCKET_DISCONNECT = Kind(
    "socket_disconnect", SocketSpec, _disconnect_rule, _ignoring, "Sockets", "disconnect", DaebusWebSocket
)
BACKGROUND = Kind("background", BackgroundSpec, _background_rule, _ignoring, "Schedules")
THREAD = Kind("thread", ThreadSpec, _thread_rule, _ignoring, "Threads")
ON_START = Kind("on_start", LifecycleSpec, _lifecycle_rule, _ignoring, "Lifecycle", "start")
ON_STOP = Kind("on_stop", LifecycleSpec, _lifecycle_rule, _ignoring, "Lifecycle", "stop")

KINDS: tuple[Kind[Any, Any], ...] = (
    ACTION,
    ROUTE,
    LISTEN,
    SOCKET,
    SOCKET_CONNECT,
    SOCKET_JOIN,
    SOCKET_DISCONNECT,
    BACKGROUND,
    THREAD,
    ON_START,
    ON_STOP,
)
"""All kinds, in the order in which `daebus check` lists the handlers."""

_BY_SPEC: dict[tuple[type[Spec], object], Kind[Any, Any]] = {(kind.spec, kind.event): kind for kind in KINDS}


def compile_handler(
    spec: Spec, container: containers.Container, workers: WorkerPool, interceptors: Interceptors = NONE
) -> Endpoint[Any]:
    """Compile a recorded handler according to its kind.

    Args:
        spec: The handler.
        container: Provides its services.
        workers: The thread pool for a ``def`` handler that has no thread of its own.
        interceptors: The interceptors of its messages.

    Raises:
        WiringError: The handler has mistakes; the error lists all of them.
    """
    kind = kind_of(spec)
    where = OwnThread(spec.name) if isinstance(spec, ThreadSpec) else workers
    endpoint = compile_endpoint(spec, container, where, kind.rule(spec), kind.encoder, interceptors)
    # At its timeout a thread is asked to stop; it is never cancelled.
    timeout = None if isinstance(spec, ThreadSpec) else spec.timeout
    return msgspec.structs.replace(endpoint, timeout=timeout)
