"""The context of the message that is being handled, stored in a context variable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, cast

import msgspec

from .stopping import Stopping

if TYPE_CHECKING:
    from daebus.telemetry.traces import Trace

__all__ = [
    "Actor",
    "Answer",
    "Context",
    "Fence",
    "Fenced",
    "HasSession",
    "RawHeaders",
    "Session",
    "SessionWatcher",
    "Source",
    "current_context",
    "fenced_of",
    "read_headers",
    "remaining",
    "session_of",
]

Source: TypeAlias = Literal["http", "socket", "bus"]
"""Where a message comes from: an HTTP request, a message on a WebSocket, or a request or an event of the bus."""

RawHeaders: TypeAlias = Mapping[str, str] | Iterable[tuple[bytes, bytes]] | None
"""Headers of a transport: by name, or as ASGI's pairs of bytes; None: the message has none."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Fenced(Protocol):
    """A delivery of a message that has a fence, which is computed when it is asked for."""

    @property
    def fence(self) -> str:
        """See `Context.fence`."""
        ...

    @property
    def attempt(self) -> int:
        """See `Context.attempt`."""
        ...


class Actor(Protocol):
    """The user for whom a message is handled."""

    @property
    def subject(self) -> str | None:
        """The id of the user; None: there is none."""
        ...


class Fence(msgspec.Struct, frozen=True):
    """A fence that is known already; see `Context.fence`."""

    fence: str
    attempt: int = 1


class Context(msgspec.Struct, frozen=True, gc=False):
    """The message that is being handled."""

    # Not keyword-only, as `Delivery` creates one for each message, which takes a third longer with keywords.
    request_id: str
    """Follows the work through every service that it touches; each log line has it.

    It is the header ``x-request-id`` of the message, if it has a valid one, else a new id.
    """
    service: str
    """The service that handles the message."""
    handler: str
    """The handler, such as ``action get_user``."""
    source: Source | None = None
    """Where the message comes from; None: nobody has sent it, as the service itself runs a task or a thread."""
    deadline: float | None = None
    """When the caller stops waiting, in seconds of `time.monotonic`; None: never."""
    stopping: Stopping = msgspec.field(default_factory=Stopping)
    """Whether the service stops: check it (``is_set()``) or wait for it (``await ... wait()``)."""
    event_id: str | None = None
    """The unique id of an event of a durable channel, the same in each retry; else None."""
    _headers: RawHeaders = None
    _fenced: Fenced | None = None
    _part: object = None  # what the transport passes beside the message: see daebus.identity.credentials
    _read_headers: Mapping[str, str] | None = None  # on first use, as most handlers do not need them
    _known: Actor | None = None  # once it was found out who has sent the message: see daebus.identity
    _after: object = None  # sent once the message has succeeded: see daebus.delivery.after_commit
    _trace: Trace | None = None  # of the span of its handler: see daebus.telemetry.traces

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the message, by their names in lower case.

        The message is a request or an event on the bus, an HTTP request, or the handshake of a WebSocket. A
        repeated header has its values joined by ``, ``. Values of HTTP are decoded as latin-1, each byte as one
        character: ``value.encode("latin-1").decode()`` reads UTF-8. Only headers that the sender has sent are there, so
        use `request_id` instead of ``x-request-id``.
        """
        if self._read_headers is None:
            headers = _NO_HEADERS if self._headers is None else MappingProxyType(read_headers(self._headers))
            msgspec.structs.force_setattr(self, "_read_headers", headers)
            return headers
        return self._read_headers

    @property
    def fence(self) -> str | None:
        """A text that grows with each delivery of the message; a handler stores it with the data that it writes.

        A database that refuses writes with a smaller fence than the one that it has is safe from an instance that was
        frozen, or cut off, while another one took over its message: ``UPDATE ... WHERE fence <= :fence``. It compares
        as a text of digits with a fixed width, in any database and language.

        Each delivery of a request or of an event of a durable channel has one; a retry and a replay have greater ones.
        With an idempotency key, it grows with each run for the key. Each run of a background task that the replicas
        share has a greater one than the run before. None: the message is delivered at most once, such as an HTTP
        request, a WebSocket message or an event of a plain channel.
        """
        return None if self._fenced is None else self._fenced.fence

    @property
    def attempt(self) -> int:
        """The number of this attempt to handle the message, beginning at 1.

        It grows with each retry after a failure, and with each delivery after an instance has died.
        """
        return 1 if self._fenced is None else self._fenced.attempt

    @property
    def actor(self) -> str | None:
        """The id of the user for whom the message is handled, as each log line has it.

        None: the handler has no user, it is a stranger, or its id is not known; see `Identity`.
        """
        return None if self._known is None else self._known.subject

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None if there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


fenced_of: Callable[[Context], Fenced | None] = attrgetter("_fenced")
"""The delivery of a message, if that has a fence."""


def read_headers(raw: Mapping[str, str] | Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of a transport, by their names in lower case; the values of a repeated one are joined by ``, ``."""
    if isinstance(raw, Mapping):
        named = cast("Mapping[str, str]", raw)  # one is Iterable, too
        return {name.lower(): value for name, value in named.items()}
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


class Answer(msgspec.Struct, frozen=True):
    """What was found out about the sender of the messages on one connection.

    Attributes:
        user: The user; None: a stranger.
        subject: The id of the user; None: there is none.
        until: When the user must be found again, in seconds of `time.time`.
    """

    user: object
    subject: str | None
    until: float


class SessionWatcher(Protocol):
    """What a transport does if something changes in a session."""

    def answered(self, before: Answer | None, answer: Answer, /) -> None:
        """The sender was found, for the first time or again. May be called in any thread."""
        ...

    def replaced(self) -> None:
        """The credentials were replaced."""
        ...


class Session:
    """The sender of all messages on one connection.

    Attributes:
        scope: What Litestar's middleware has stored in the scope of the handshake, such as ``user``.
        authorization: The credentials of a message, instead of the header of the handshake; None: there was none.
        answers: What was found out about the sender, by who has asked.
        watcher: Is told of changes.
    """

    __slots__ = ("answers", "authorization", "scope", "watcher")

    def __init__(self, scope: Mapping[str, object]) -> None:
        self.scope: Mapping[str, object] = scope
        self.authorization: str | None = None
        self.answers: dict[object, Answer] = {}
        self.watcher: SessionWatcher | None = None

    def answer(self, asker: object, answer: Answer) -> None:
        """Keep what was found out."""
        before = self.answers.get(asker)
        self.answers[asker] = answer
        if self.watcher is not None:
            self.watcher.answered(before, answer)

    def replace(self, authorization: str) -> None:
        """Replace the credentials: the sender must be found again."""
        self.authorization = authorization
        self.answers = {asker: msgspec.structs.replace(each, until=0.0) for asker, each in self.answers.items()}
        if self.watcher is not None:
            self.watcher.replaced()


class HasSession:
    """Base of what a transport passes beside the messages of one connection."""

    __slots__ = ("_session",)

    _session: Session


session_of: Callable[[HasSession], Session] = attrgetter("_session")
"""The session of a connection; handlers do not see it."""


current_context: ContextVar[Context | None] = ContextVar("daebus_context", default=None)


def remaining() -> float | None:
    """Seconds that the message being handled has left; None outside a handler or without a deadline."""
    context = current_context.get()
    return None if context is None else context.remaining
