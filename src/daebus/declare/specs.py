"""The specs: what a blueprint records for each handler before it is wired."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from typing_extensions import override

from daebus.mistakes.places import CallSite, place_of
from daebus.mistakes.problem import Code, WiringProblem
from daebus.mistakes.render import Note
from daebus.payloads.docstrings import split_docstring
from daebus.payloads.encodable import Encodable

from .contracts import Channel, Contract
from .options import Guard
from .policies import ListenerIdentity, Policy
from .rooms import Room, shape_of
from .schedules import Schedule, TaskPolicy
from .signatures import Signature, read_signature

__all__ = [
    "ActionSpec",
    "BackgroundSpec",
    "JoinSpec",
    "LifecycleSpec",
    "ListenSpec",
    "Method",
    "RouteSpec",
    "SocketSpec",
    "Spec",
    "ThreadSpec",
    "events_to",
    "route_to",
    "socket_to",
]

Method: TypeAlias = Literal["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
"""The HTTP methods that Litestar routes."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One handler as it was recorded.

    Attributes:
        function: The handler itself, undecorated.
        blueprint: The name of the blueprint, or of the app.
        namespace: Local names that its annotations may mean.
        site: Where the decorator was called, for error messages.
        timeout: Seconds that one run of the handler may take; None: no limit. An action has its timeout in its policy,
            as each request also has a deadline of its own.
        requires: The guards of its messages, those of the blueprint first.
        opens: The action to which it is a door; None: it has a handler of its own.
    """

    function: Callable[..., object]
    blueprint: str
    namespace: Mapping[str, object] | None
    site: CallSite | None = None
    timeout: float | None = None
    requires: tuple[Guard, ...] = ()
    opens: ActionSpec | None = None

    @property
    def title(self) -> str:
        """A title for logs and messages, such as ``action get_user``."""
        raise NotImplementedError

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that only one handler may have; two handlers with a common key conflict."""
        return (self.title,)

    @property
    def where(self) -> str:
        """`file:line` of the handler."""
        return str(self.place)

    @property
    def place(self) -> str:
        """`file:line` of the handler, as a `Place` that points at the decorator."""
        return place_of(self.function, site=self.site)

    @property
    def documentation(self) -> tuple[str, str]:
        """The summary of the handler, which is the first line of its docstring or its name, and the rest of it.

        The section about its arguments is left out.
        """
        text, _ = split_docstring(inspect.getdoc(self.function) or "")
        summary, _, description = text.partition("\n")
        return summary or self.function.__name__.replace("_", " ").capitalize(), description.strip()

    def problem(self, found: str, remedy: str, *, code: Code = "wiring", notes: Sequence[Note] = ()) -> WiringProblem:
        """A problem with the arguments of the decorator."""
        return WiringProblem(self.place, self.title, found, remedy, code=code, notes=notes)

    def read_signature(self) -> Signature:
        """Read the handler's signature. Raises `WiringError`."""
        return read_signature(self.function, self.namespace)


class ActionSpec(Spec, frozen=True, kw_only=True):
    """A handler of requests.

    Attributes:
        contract: Its contract; None: the signature is the contract.
        is_tool: Whether it is open to assistants.
    """

    name: str
    contract: Contract | None
    concurrency: int | None
    policy: Policy
    is_tool: bool = False

    @property
    @override
    def title(self) -> str:
        return f"action {self.name}"


class RouteSpec(Spec, frozen=True, kw_only=True):
    """A handler of HTTP requests.

    Attributes:
        path: The path, with the prefix of the blueprint.
        methods: The HTTP methods.
        status_code: The status of a success; None: 200, or 204 if the handler returns nothing.
        options: What goes to Litestar as it is.
        has_events: Whether it answers with server-sent events, as the door to an action that streams.
        event_id: The field of the items that is the id of each event; None: events have no id.
        resume: The field of the payload that gets the id of the last event that a client has; None: none does.
    """

    path: str
    methods: tuple[str, ...]
    status_code: int | None
    options: Mapping[str, object]
    has_events: bool = False
    event_id: str | None = None
    resume: str | None = None

    @property
    @override
    def title(self) -> str:
        return f"route {'|'.join(self.methods)} {self.path}"

    @property
    @override
    def keys(self) -> tuple[str, ...]:
        return tuple(f"route {method} {self.path}" for method in self.methods)


class ListenSpec(Spec, frozen=True, kw_only=True):
    """A handler of events. `contract` is None if the channel was given by name."""

    channel: str
    contract: Channel[Encodable] | None
    policy: Policy
    identity: ListenerIdentity = ListenerIdentity()

    @property
    @override
    def title(self) -> str:
        return f"listen {self.channel}"

    @property
    @override
    def keys(self) -> tuple[str, ...]:
        return ()

    @property
    def is_durable(self) -> bool:
        """Whether its channel is durable, so that events are kept for the listener."""
        return self.contract is not None and self.contract.durable

    @property
    def keep(self) -> float:
        """Seconds for which events of its channel are kept after all listeners have handled them."""
        return 0.0 if self.contract is None else self.contract.keep

    @property
    def name(self) -> str:
        """Its name among the listeners of its service; the module of the function is not part of it."""
        return self.identity.name or f"{self.blueprint}.{self.function.__name__}"


class SocketSpec(Spec, frozen=True, kw_only=True):
    """A handler of WebSocket messages (`type`), connects or disconnects (`type` is empty)."""

    event: Literal["message", "connect", "disconnect"]
    type: str

    @property
    @override
    def title(self) -> str:
        return f"socket {self.type}" if self.event == "message" else f"socket_{self.event}"

    @property
    @override
    def keys(self) -> tuple[str, ...]:
        return () if self.event == "disconnect" else (self.title,)


class JoinSpec(Spec, frozen=True, kw_only=True):
    """A handler that lets WebSocket clients into rooms."""

    room: Room[Encodable]

    @property
    @override
    def title(self) -> str:
        return f"socket_join {self.room.name}"

    @property
    @override
    def keys(self) -> tuple[str, ...]:
        return (f"room {shape_of(self.room)}",)


class BackgroundSpec(Spec, frozen=True, kw_only=True):
    """A task that runs on a schedule, on one replica (scope ``service``) or on each (``replica``)."""

    name: str
    schedule: Schedule
    scope: Literal["service", "replica"]
    policy: TaskPolicy = TaskPolicy()

    @property
    @override
    def title(self) -> str:
        return f"background {self.name}"


class ThreadSpec(Spec, frozen=True, kw_only=True):
    """A handler with a thread of its own."""

    name: str
    auto_start: bool
    restart: bool

    @property
    @override
    def title(self) -> str:
        return f"thread {self.name}"


class LifecycleSpec(Spec, frozen=True, kw_only=True):
    """A handler that runs once, when the service starts or stops."""

    event: Literal["start", "stop"]

    @property
    @override
    def title(self) -> str:
        return f"on_{self.event} {self.function.__name__}"

    @property
    @override
    def keys(self) -> tuple[str, ...]:
        return ()


def route_to(
    action: ActionSpec, *, method: str, path: str, status_code: int | None, about: Mapping[str, object]
) -> RouteSpec:
    """The door to an action through which HTTP requests come; `about`: its options for the documents."""
    options = {"media_type": "application/json", **about}
    return RouteSpec(**_of_action(action), path=path, methods=(method,), status_code=status_code, options=options)


def events_to(action: ActionSpec, *, event_id: str | None, resume: str | None, **route: Any) -> RouteSpec:
    """The door to an action which answers with server-sent events; `route`: further arguments of `route_to`."""
    made, about = route_to(action, status_code=None, **route), route["about"]
    return msgspec.structs.replace(made, options=about, has_events=True, event_id=event_id, resume=resume)


def socket_to(action: ActionSpec, *, message_type: str) -> SocketSpec:
    """The door to an action through which WebSocket messages come."""
    return SocketSpec(**_of_action(action), event="message", type=message_type)


def _of_action(action: ActionSpec) -> dict[str, Any]:
    return {
        "function": action.function,
        "blueprint": action.blueprint,
        "namespace": action.namespace,
        "site": action.site,
        "timeout": action.policy.timeout,
        "requires": action.requires,
        "opens": action,
    }
