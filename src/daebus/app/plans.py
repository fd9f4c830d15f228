"""The compiled handlers of an app: what each kind may look like, and who wins where two claim the same thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import NoneType
from typing import Generic, Literal, TypeVar

from dependency_injector import containers

from daebus.core.codec import encode
from daebus.core.contracts import StreamAction
from daebus.core.errors import WiringError, WiringProblem
from daebus.core.logs import make_logger
from daebus.core.running import Running
from daebus.core.signatures import Signature
from daebus.core.specs import (
    ActionSpec,
    BackgroundSpec,
    LifecycleSpec,
    ListenSpec,
    RouteSpec,
    SocketSpec,
    Spec,
    ThreadSpec,
)
from daebus.transports.clients import Client
from daebus.transports.paths import check_path
from daebus.wiring.compiling import Rule, compile_endpoint
from daebus.wiring.endpoints import Endpoint
from daebus.wiring.workers import OwnThread, WorkerPool

__all__ = ["Conflict", "Plan", "Plans"]

SpecT = TypeVar("SpecT", bound=Spec)
R = TypeVar("R")

Conflict = Literal["warn", "error"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan(Generic[SpecT, R]):
    """A recorded handler and its endpoint."""

    spec: SpecT
    endpoint: Endpoint[R]


class Plans:
    """All the compiled handlers of an app.

    Args:
        container: Where their services come from.
        workers: Where ``def`` handlers run.
        on_conflict: Whether the last of two that claim the same thing wins, with a warning, or is refused.
    """

    def __init__(self, container: containers.Container, workers: WorkerPool, on_conflict: Conflict) -> None:
        self._container = container
        self._workers = workers
        self._on_conflict = on_conflict
        self._claims: dict[str, Spec] = {}
        self.actions: dict[str, Plan[ActionSpec, bytes]] = {}
        self.routes: dict[str, Plan[RouteSpec, object]] = {}
        self.listeners: list[Plan[ListenSpec, None]] = []
        self.sockets: dict[str, Plan[SocketSpec, bytes | None]] = {}
        self.disconnects: list[Plan[SocketSpec, None]] = []
        self.background: dict[str, Plan[BackgroundSpec, None]] = {}
        self.threads: dict[str, Plan[ThreadSpec, None]] = {}
        self.lifecycle: list[Plan[LifecycleSpec, None]] = []

    def add(self, specs: Iterable[Spec]) -> None:
        """Compile the handlers of one blueprint.

        Raises:
            WiringError: With all the mistakes of all of them; then none is added.
        """
        problems: list[WiringProblem] = []
        adding: list[tuple[Spec, Callable[[], None]]] = []
        own: dict[str, Spec] = {}
        for spec in specs:
            try:
                adding.append((spec, self._compile(spec)))
            except WiringError as error:
                problems.extend(error.problems)
            for key in spec.keys:
                if key in own:
                    problems.append(_twice(spec, own[key], key))
                elif key in self._claims and self._on_conflict == "error":
                    problems.append(_taken(spec, self._claims[key], key))
                own[key] = spec
        if problems:
            raise WiringError(*problems)
        for spec, add in adding:
            for key in spec.keys:
                self._claim(key, spec)
            add()

    def served_routes(self) -> list[Plan[RouteSpec, object]]:
        """The routes, each with the methods that no later one has taken from it."""
        methods: dict[int, list[str]] = {}
        for key, plan in self.routes.items():
            methods.setdefault(id(plan), []).append(key.split(" ", 2)[1])
        plans = {id(plan): plan for plan in self.routes.values()}
        return [Plan(replace(plan.spec, methods=tuple(methods[at])), plan.endpoint) for at, plan in plans.items()]

    def _claim(self, key: str, spec: Spec) -> None:
        earlier = self._claims.get(key)
        if earlier is not None:
            make_logger().warning(
                f"{key} of blueprint {earlier.blueprint!r} ({earlier.where}) is replaced "
                f"by the one of blueprint {spec.blueprint!r} ({spec.where})"
            )
        self._claims[key] = spec

    def _compile(self, spec: Spec) -> Callable[[], None]:
        """Compile one handler, and return what adds it."""
        match spec:
            case ActionSpec():
                action = self._plan(spec, _action_rule(spec), lambda _: encode)
                return lambda: self.actions.update({spec.name: action})
            case RouteSpec():
                return self._compile_route(spec)
            case ListenSpec():
                listener = self._plan(spec, _listen_rule(spec), _ignoring)
                return lambda: self.listeners.append(listener)
            case SocketSpec(event="disconnect"):
                disconnect = self._plan(spec, Rule(kind="a disconnect handler", parts=(Client,)), _ignoring)
                return lambda: self.disconnects.append(disconnect)
            case SocketSpec():
                socket = self._plan(spec, _socket_rule(spec), _answering)
                return lambda: self.sockets.update({spec.type: socket})
            case BackgroundSpec():
                background = self._plan(spec, Rule(kind="a background task"), _ignoring)
                return lambda: self.background.update({spec.name: background})
            case ThreadSpec():
                thread = self._plan(spec, Rule(kind="a thread", parts=(Running,)), _ignoring)
                return lambda: self.threads.update({spec.name: thread})
            case LifecycleSpec():
                lifecycle = self._plan(spec, Rule(kind=f"an on_{spec.event} handler"), _ignoring)
                return lambda: self.lifecycle.append(lifecycle)
            case _:
                raise TypeError(f"no plan for {spec!r}")

    def _compile_route(self, spec: RouteSpec) -> Callable[[], None]:
        from daebus.transports.http_answers import Answer  # noqa: PLC0415  # Litestar is loaded with the first route

        problems = check_path(spec, spec.read_signature())
        if problems:
            raise WiringError(*problems)
        route = self._plan(spec, Rule(kind="a route", free=True), Answer)
        return lambda: self.routes.update(dict.fromkeys(spec.keys, route))

    def _plan(self, spec: SpecT, rule: Rule, encoder: Callable[[Signature], Callable[[object], R]]) -> Plan[SpecT, R]:
        workers = OwnThread(spec.name) if isinstance(spec, ThreadSpec) else self._workers
        endpoint = compile_endpoint(spec, self._container, workers, rule, encoder)
        if isinstance(spec, ThreadSpec) and endpoint.signature.is_async:
            found, remedy = "a thread runs no event loop", "write it as `def`, or use `background`"
            raise WiringError(endpoint.signature.problem(None, found, remedy))
        return Plan(spec, endpoint)


def _action_rule(spec: ActionSpec) -> Rule:
    contract = spec.contract
    return Rule(
        kind="an action",
        payload="the payload",
        replies=True,
        streams=None if contract is None else isinstance(contract, StreamAction),
        contract=() if contract is None else contract.types,
    )


def _listen_rule(spec: ListenSpec) -> Rule:
    contract = () if spec.contract is None else spec.contract.types
    return Rule(kind="a listener", payload="the event", required=True, events=True, contract=contract)


def _socket_rule(spec: SocketSpec) -> Rule:
    if spec.event == "connect":
        payload = "the parameters"
        return Rule(kind="a connect handler", payload=payload, parts=(Client,), replies=True, lax=True)
    return Rule(kind="a socket handler", payload="the data", parts=(Client,), replies=True)


def _ignoring(_: Signature) -> Callable[[object], None]:
    return lambda _result: None


def _answering(signature: Signature) -> Callable[[object], bytes | None]:
    return _ignoring(signature) if signature.returns is NoneType else encode


def _twice(spec: Spec, earlier: Spec, key: str) -> WiringProblem:
    return WiringProblem(
        spec.where,
        f"{key} of blueprint {spec.blueprint!r}",
        f"the blueprint has it already, at {earlier.where}",
        "rename or remove one of the two",
    )


def _taken(spec: Spec, earlier: Spec, key: str) -> WiringProblem:
    return WiringProblem(
        spec.where,
        f"{key} of blueprint {spec.blueprint!r}",
        f"blueprint {earlier.blueprint!r} has it already, at {earlier.where}",
        "rename one of the two, give a prefix or namespace, or let the last one win with on_conflict='warn'",
    )
