"""What each kind of handler may look like."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TypeAlias, cast

from daebus.declare.contracts import StreamAction
from daebus.declare.paths import RESERVED, path_parameters
from daebus.declare.running import Running
from daebus.declare.specs import (
    ActionSpec,
    BackgroundSpec,
    LifecycleSpec,
    ListenSpec,
    RouteSpec,
    SocketSpec,
    Spec,
    ThreadSpec,
)
from daebus.http.checks import check_route
from daebus.mistakes.places import made_at
from daebus.websocket.clients import Client
from daebus.wiring.rules import Rule

__all__ = ["rule_for"]

_Strangers: TypeAlias = Mapping[type, tuple[str, str]]

_CLIENT: _Strangers = {
    Client: ("socket handlers", "remove it; `clients: Clients` right of the * reaches every client by its id")
}
_RUNNING: _Strangers = {Running: ("threads", "remove it")}


def rule_for(spec: Spec) -> Rule:
    """The rule for a recorded handler."""
    match spec:
        case ActionSpec():
            return _action_rule(spec)
        case RouteSpec():
            own = cast("Mapping[str, object]", spec.options.get("dependencies") or {})
            names = frozenset(path_parameters(spec.path))
            reserved = RESERVED.union(own)
            return Rule(
                kind="a route",
                free=True,
                reserved=reserved,
                path=names,
                strangers={**_CLIENT, **_RUNNING},
                check=partial(check_route, spec),
            )
        case ListenSpec():
            return _listen_rule(spec)
        case SocketSpec():
            return _socket_rule(spec)
        case BackgroundSpec():
            return Rule(kind="a background task", silent=True, strangers={**_CLIENT, **_RUNNING})
        case ThreadSpec():
            return Rule(kind="a thread", parts=(Running,), thread=True, silent=True, strangers=_CLIENT)
        case LifecycleSpec():
            return Rule(kind=f"an on_{spec.event} handler", silent=True, strangers={**_CLIENT, **_RUNNING})
        case _:
            raise TypeError(f"no rule for {spec!r}")


def _action_rule(spec: ActionSpec) -> Rule:
    contract = spec.contract
    return Rule(
        kind="an action",
        payload="the payload",
        replies=True,
        streams=None if contract is None else isinstance(contract, StreamAction),
        contract=() if contract is None else contract.types,
        contract_place=made_at(contract),
        strangers={**_CLIENT, **_RUNNING},
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
        strangers={**_CLIENT, **_RUNNING},
    )


def _socket_rule(spec: SocketSpec) -> Rule:
    match spec.event:
        case "connect":
            kind, payload = "a connect handler", "the parameters"
            return Rule(kind=kind, payload=payload, parts=(Client,), replies=True, lax=True, strangers=_RUNNING)
        case "disconnect":
            return Rule(kind="a disconnect handler", parts=(Client,), silent=True, strangers=_RUNNING)
        case "message":
            return Rule(kind="a socket handler", payload="the data", parts=(Client,), replies=True, strangers=_RUNNING)
