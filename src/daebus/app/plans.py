"""`Plans`: the compiled handlers of an app, and the resolution of conflicts between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from dependency_injector import containers, providers

from daebus.declare.options import stray_in
from daebus.declare.paths import success_status
from daebus.declare.rooms import are_ambiguous, shape_of
from daebus.declare.specs import JoinSpec, ListenSpec, RouteSpec, Spec
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.interceptors import Interceptors
from daebus.delivery.workers import WorkerPool
from daebus.doors.opening import open_door
from daebus.errors import WiringError
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.protocol.discovery import kind_and_name
from daebus.telemetry.logs import make_logger

from .kinds import LISTEN, SOCKET_JOIN, Kind, compile_handler, kind_of
from .settings import Conflict

__all__ = ["Plans"]

SpecT = TypeVar("SpecT", bound=Spec)
R = TypeVar("R")


class Plan(msgspec.Struct, Generic[SpecT, R], frozen=True, eq=False):
    """A recorded handler and its endpoint."""

    spec: SpecT
    endpoint: Endpoint[R]


class Plans:
    """All the compiled handlers of an app.

    Args:
        container: Provides their services.
        workers: The thread pool for ``def`` handlers.
        on_conflict: Whether the later of two conflicting handlers wins, with a warning, or is refused.
    """

    def __init__(self, container: containers.Container, workers: WorkerPool, on_conflict: Conflict) -> None:
        self._container = container
        self._workers = workers
        self._on_conflict = on_conflict
        self._claims: dict[str, Spec] = {}
        self._tried: dict[int, Spec] = {}
        self._compiled: dict[int, Endpoint[Any]] = {}
        self._plans: list[Plan[Any, Any]] = []

    def add(self, specs: Iterable[Spec], interceptors: Interceptors) -> None:
        """Compile the handlers of one blueprint.

        Args:
            specs: The handlers.
            interceptors: The interceptors of their messages.

        Raises:
            WiringError: Handlers have mistakes; the error lists all of them, and no handler is added.
        """
        specs = tuple(specs)
        self._tried.update((id(spec), spec) for spec in specs)
        problems: list[WiringProblem] = []
        adding: list[Plan[Any, Any]] = []
        own: dict[str, Spec] = {}
        listeners = [plan.spec for plan in self.of(LISTEN)]
        joins = [plan.spec for plan in self.of(SOCKET_JOIN)]
        for spec in specs:
            problems.extend(self._conflicts(spec, own))
            own.update(dict.fromkeys(spec.keys, spec))
            if isinstance(spec, ListenSpec):
                problems.extend(_shared_events(spec, listeners))
                listeners.append(spec)
            if isinstance(spec, JoinSpec):
                problems.extend(_shared_rooms(spec, joins))
                joins.append(spec)
            if spec.opens is not None and id(spec.opens) not in self._compiled:
                continue  # the action has mistakes, and its doors have the same
            try:
                adding.append(self._compile(spec, interceptors))
            except WiringError as error:
                problems.extend(error.problems)
        if problems:
            raise WiringError(*problems)
        for plan in adding:
            for key in plan.spec.keys:
                self._claim(key, plan.spec)
            self._plans.append(plan)

    def of(self, kind: Kind[SpecT, R]) -> list[Plan[SpecT, R]]:
        """The handlers of a kind in order of registration, without replaced ones.

        A route is returned without the methods that a later route has taken over.
        """
        return [self._owned(plan) for plan in self._plans if kind_of(plan.spec) is kind and self._owns(plan.spec)]

    def _owns(self, spec: Spec) -> bool:
        return not spec.keys or any(self._claims[key] is spec for key in spec.keys)

    def _owned(self, plan: Plan[Any, Any]) -> Plan[Any, Any]:
        if not isinstance(plan.spec, RouteSpec):
            return plan
        spec = plan.spec
        claimed = zip(spec.methods, spec.keys, strict=True)
        methods = tuple(method for method, key in claimed if self._claims[key] is spec)
        return Plan(msgspec.structs.replace(spec, methods=methods), plan.endpoint)

    def served(self) -> list[Spec]:
        """The handlers that were added or refused, without replaced ones."""
        owners = {key: spec for spec in self._tried.values() for key in spec.keys}
        return [spec for spec in self._tried.values() if not spec.keys or any(owners[key] is spec for key in spec.keys)]

    def compiled(self) -> list[tuple[Spec, Endpoint[object]]]:
        """The `served` handlers without mistakes of their own, even if others of their blueprint were refused."""
        return [(spec, self._compiled[id(spec)]) for spec in self.served() if id(spec) in self._compiled]

    def needed(self) -> Iterator[tuple[str, providers.Provider[object]]]:
        """The providers that `compiled` handlers and the container's resources use, each with the title of its user."""
        for _, endpoint in self.compiled():
            for _, provider in endpoint.injection.bindings:
                yield endpoint.title, provider
        for name, provider in self._container.providers.items():
            if isinstance(provider, providers.BaseResource):
                yield f"the Resource {name!r}", provider

    def _conflicts(self, spec: Spec, own: Mapping[str, Spec]) -> Iterator[WiringProblem]:
        """Conflicts in which no handler may win; `own` are the claims of the spec's blueprint."""
        for key in spec.keys:
            if key in own:
                yield _twice(spec, own[key], key)
            elif key in self._claims and self._on_conflict == "error":
                yield _taken(spec, self._claims[key], key)

    def _claim(self, key: str, spec: Spec) -> None:
        earlier = self._claims.get(key)
        if earlier is not None:
            make_logger().warning(
                f"{key} of blueprint {earlier.blueprint!r} ({earlier.where}) is replaced "
                f"by the one of blueprint {spec.blueprint!r} ({spec.where})"
            )
        self._claims[key] = spec

    def _compile(self, spec: Spec, interceptors: Interceptors) -> Plan[Any, Any]:
        if spec.opens is not None:
            endpoint = open_door(spec, self._compiled[id(spec.opens)])
        else:
            endpoint = compile_handler(spec, self._container, self._workers, interceptors)
        kind, name = kind_and_name(spec)
        status = 0
        if isinstance(spec, RouteSpec):
            status = spec.status_code or success_status(endpoint.signature.returns, has_events=spec.has_events)
        endpoint = self._compiled[id(spec)] = msgspec.structs.replace(endpoint, kind=kind, name=name, status=status)
        return Plan(spec, endpoint)


def _twice(spec: Spec, earlier: Spec, key: str) -> WiringProblem:
    return WiringProblem(
        spec.place,
        f"{key} of blueprint {spec.blueprint!r}",
        f"the blueprint has it already, at {earlier.where}",
        "rename or remove one of the two",
        code="duplicate-handler",
        notes=[Note("the first one", earlier.place)],
    )


def _taken(spec: Spec, earlier: Spec, key: str) -> WiringProblem:
    return WiringProblem(
        spec.place,
        f"{key} of blueprint {spec.blueprint!r}",
        f"blueprint {earlier.blueprint!r} has it already, at {earlier.where}",
        "rename one of the two, give a prefix or namespace, or let the last one win with Settings(on_conflict='warn')",
        code="taken-name",
        notes=[Note("the first one", earlier.place)],
    )


def _shared_rooms(spec: JoinSpec, others: Iterable[JoinSpec]) -> Iterator[WiringProblem]:
    """Problems of join handlers of which more than one would fit a room; those of equal names are told elsewhere."""
    name = spec.room.name
    for other in others:
        if shape_of(other.room) != shape_of(spec.room) and are_ambiguous(name, other.room.name):
            found = f"some rooms of {name!r} are also rooms of {other.room.name!r}, and each needs one contract"
            remedy = "let the names begin differently, such as 'chat:{name}' and 'news:{name}'"
            yield spec.problem(found, remedy, code="taken-name", notes=[Note("the other one", other.place)])
            return


def _shared_events(spec: ListenSpec, others: Iterable[ListenSpec]) -> Iterator[WiringProblem]:
    """Problems of listeners of one channel that would share events instead of each getting all of them."""
    if spec.is_durable and (stray := stray_in(spec.name, colons=False)) is not None:
        found = f"the listener is called {spec.name!r}: {stray}"
        yield spec.problem(found, 'give it a name: listen(..., name="mails")', code="wrong-name")
    for other in others:
        if other.channel != spec.channel:
            continue
        if spec.is_durable != other.is_durable:
            durable = spec if spec.is_durable else other
            yield spec.problem(
                f"one listener takes {spec.channel!r} for a durable channel, another does not, "
                "and an event reaches either kind, never both",
                "give both listeners the same Channel contract",
                code="mixed-durability",
                notes=[Note("durable" if other is durable else "not durable", other.place)],
            )
            return
        elif spec.is_durable and _names(spec) & _names(other):
            (shared, *_) = _names(spec) & _names(other)
            called = "is called" if other.name == shared else "was called"
            yield spec.problem(
                f"another listener {called} {shared!r} too, and of a durable channel "
                "each event would reach only one of the two",
                'give one of the two another name: listen(..., name="mails")',
                code="duplicate-listener",
                notes=[Note("the other one", other.place)],
            )


def _names(spec: ListenSpec) -> set[str]:
    """The names of a listener: the current one and the previous one."""
    return {spec.name, spec.identity.renamed_from or spec.name}
