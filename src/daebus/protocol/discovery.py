"""The messages of discovery: questions to running instances, and their answers; see docs/protocol.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from daebus.declare.specs import ListenSpec, Spec
from daebus.telemetry.statistics import LastError

from .messages import require_reply_channel

__all__ = [
    "DISCOVERY_CHANNEL",
    "SERVICES",
    "WHOLE",
    "Ask",
    "CheckResult",
    "Files",
    "HandlerInfo",
    "HandlerStatistics",
    "HealthAnswer",
    "Identity",
    "Info",
    "Inquiry",
    "State",
    "Stats",
    "decode_inquiry",
    "discovery_channel",
    "kind_and_name",
]

Ask: TypeAlias = Literal["ping", "info", "stats", "health", "export"]

State: TypeAlias = Literal["starting", "running", "stopping"]

_Text = Annotated[str, msgspec.Meta(max_length=256)]

DISCOVERY_CHANNEL = "daebus:discovery"
"""The pub/sub channel on which all instances of all services are asked."""

SERVICES = "daebus:services"
"""The sorted set of all services, by the time of the last heartbeat in ms of the server's clock."""

WHOLE = "-"
"""The path of a document alone, in `Files`."""


def discovery_channel(service: str) -> str:
    """The pub/sub channel on which all instances of a service are asked."""
    return f"daebus:{{{service}}}:discovery"


def kind_and_name(spec: Spec) -> tuple[str, str]:
    """The kind of a handler, and its name without it."""
    kind, _, name = spec.title.partition(" ")
    if isinstance(spec, ListenSpec):
        name = spec.name
    return kind, name or f"{spec.blueprint}.{spec.function.__name__}"


class Inquiry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question to running instances.

    Attributes:
        ask: What is asked: who is there (``ping``), what it serves (``info``), how it is doing (``stats``), whether it
            is ready (``health``), or a document about it (``export``).
        reply_to: The pub/sub channel for the answers.
        request_id: A unique id, which the answers repeat.
        instance: The id of the only instance that is asked; None: all.
        form: The format of the document, such as ``openapi``; only for ``export``.
    """

    ask: Ask
    reply_to: _Text
    request_id: _Text
    instance: _Text | None = None
    form: _Text | None = None


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who an instance is: the answer to ``ping``, and a part of the answers to ``info`` and ``stats``.

    Attributes:
        service: The name of the service.
        instance: The id of the instance.
        state: Whether it is ``starting``, ``running`` or ``stopping``.
        version: The version of the service, from its settings; None: not set.
        metadata: What else its settings say about it.
        daebus: The version of daebus.
        python: The version of Python.
        host: The name of its machine or container.
        pid: The id of its process.
        started: When it started, in ms of the server's clock.
    """

    service: str
    instance: str
    state: State
    version: str | None
    metadata: Mapping[str, str]
    daebus: str
    python: str
    host: str
    pid: int
    started: int


class HandlerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A handler, as callers see it.

    Attributes:
        title: The kind and the name, such as ``action get_user``.
        kind: The name of its decorator, such as ``action``.
        name: The name of the action, the task or the thread, the method and the path of the route, the type of the
            message, the listener, or the room.
        blueprint: The name of its blueprint.
        summary: The first line of its docstring, or its name as words.
        requires: The names of its guards.
        user: Whether it refuses strangers; None: it does not ask for a user.
        takes: The JSON Schema of its payload; None: it takes none, or none that is JSON.
        gives: The JSON Schema of its answer, or of each item of a stream; None: there is none.
        streams: Whether the answer is a stream.
        contract: A hash of the types of an action, which is equal for equal contracts; None for other kinds.
    """

    title: str
    kind: str
    name: str
    blueprint: str
    summary: str
    requires: Sequence[str]
    user: bool | None
    takes: dict[str, Any] | None
    gives: dict[str, Any] | None
    streams: bool
    contract: str | None


class Info(Identity, frozen=True, kw_only=True):
    """What an instance serves: the answer to ``info``.

    Attributes:
        handlers: Its handlers in the order of registration.
        schemas: The JSON Schemas to which those of the handlers refer, as ``#/components/schemas/NAME``.
        contracts: A hash of all contracts of the service, which is equal for instances with equal contracts.
    """

    handlers: Sequence[HandlerInfo]
    schemas: Mapping[str, dict[str, Any]]
    contracts: str


class HandlerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How a handler is doing since the start of its instance.

    Attributes:
        title: The kind and the name, as in `HandlerInfo`.
        kind: The name of its decorator.
        name: Its name, as in `HandlerInfo`.
        messages: How many messages were passed to it.
        in_flight: How many of them it is handling now.
        errors: How many messages ended with an error, by the code of the error.
        last_error: The last of these errors; None: there was none.
        seconds: The sum of the durations of all messages that have ended.
        durations: Pairs of an upper bound in seconds, and the number of durations up to it and above the next smaller
            of `BOUNDS`. Bounds without durations are left out. None: longer than all bounds.
    """

    title: str
    kind: str
    name: str
    messages: int
    in_flight: int
    errors: Mapping[str, int]
    last_error: LastError | None
    seconds: float
    durations: Sequence[tuple[float | None, int]]

    @property
    def label(self) -> str:
        """The kind and the name, which no other handler of the service has."""
        return f"{self.kind} {self.name}"


class Stats(Identity, frozen=True, kw_only=True):
    """How an instance is doing: the answer to ``stats``.

    Attributes:
        at: When this was so, in ms of the server's clock.
        cpu: The CPU time that its process has used, in seconds.
        memory: The memory that its process uses, in bytes; where the system does not tell, the most that it has used.
        lag: The longest delay of its event loop in the last 10 s, in seconds; None: it is not measured.
        sockets: How many WebSocket clients are connected to it; None: it has no WebSockets.
        handlers: Its handlers in the order of registration.
    """

    at: int
    cpu: float
    memory: int
    lag: float | None
    sockets: int | None
    handlers: Sequence[HandlerStatistics]


class CheckResult(msgspec.Struct, frozen=True):
    """The result of a health check.

    Attributes:
        name: The name of the check: ``bus``, ``event loop``, or that of a service in the container.
        ok: Whether it has succeeded.
        reason: Why it has failed; None: it has succeeded.
        seconds: How long it took.
    """

    name: str
    ok: bool
    reason: str | None
    seconds: float


class HealthAnswer(Identity, frozen=True, kw_only=True):
    """Whether an instance is ready: the answer to ``health``.

    Attributes:
        ready: Whether it runs, and all checks succeed.
        checks: The results of its checks; empty while it starts or stops.
    """

    ready: bool
    checks: Sequence[CheckResult]


class Files(msgspec.Struct, frozen=True):
    """A document, or several: the answer to ``export``.

    Attributes:
        files: The content of each file by its path; a document alone has the path `WHOLE`.
    """

    files: Mapping[str, bytes]


_decode = msgspec.json.Decoder(Inquiry).decode


def decode_inquiry(body: bytes) -> Inquiry:
    """The question in a message. Raises the errors in `UNDECODABLE`."""
    inquiry = _decode(body)
    require_reply_channel(inquiry.reply_to)
    return inquiry
