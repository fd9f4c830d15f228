"""Interceptors: functions that wrap the handling of every message, on every transport.

They are called once for each handler, when a run of the service starts; the handle that they return is called for each
message.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import msgspec

from daebus.errors import WiringError
from daebus.mistakes.places import place_of, show_path
from daebus.mistakes.problem import WiringProblem

from .causes import place_of_failure, type_and_message
from .outgoing import Forward, ForwardStream, OutgoingInterceptor, OutgoingStreamInterceptor

if TYPE_CHECKING:
    from .endpoint import Endpoint, Incoming

__all__ = [
    "NONE",
    "AnyInterceptor",
    "AnyOutgoing",
    "Handle",
    "Interceptor",
    "Interceptors",
    "Observe",
    "Observer",
    "StreamHandle",
    "StreamInterceptor",
    "name_of",
    "shown",
]

R = TypeVar("R")

Handle: TypeAlias = Callable[["Incoming"], Awaitable[R]]
"""Passes a message on and returns the encoded reply."""

StreamHandle: TypeAlias = Callable[["Incoming"], AsyncGenerator[R]]
"""Passes a message on to an async generator and yields the encoded items."""


class Interceptor(Protocol):
    """Wraps the handling of messages, such as a timer or an authorization check.

    It is called once for each handler, when a run of the service starts. The handle that it returns is called for each
    message. If it returns `handle` itself, the handler's messages bypass it, at no cost.
    """

    def __call__(self, endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        """Return the handle that is called for each message of a handler.

        Args:
            endpoint: The handler.
            handle: Passes the message on, to the next interceptor and finally to the handler.
        """
        ...


class StreamInterceptor(Protocol):
    """Wraps the handling of messages of actions that stream their replies."""

    def stream(self, endpoint: Endpoint[R], handle: StreamHandle[R], /) -> StreamHandle[R]:
        """Return the handle that is called for each message of a streaming action; it yields the encoded items."""
        ...


Observe: TypeAlias = Callable[["Incoming", object, BaseException | None, float], object]
"""Is told how a message has ended: the message, the encoded reply, the error (None: it has succeeded), the seconds."""


class Observer(Protocol):
    """Is told how the handling of each message has ended, such as a metric.

    It cannot change the handling, and takes less time for each message than an `Interceptor`. It sees a message with
    all interceptors around it. If it raises, that is logged, and the message ends as it would have ended.
    """

    def observing(self, endpoint: Endpoint[object], /) -> Observe | None:
        """Return the function that is called after each message of a handler; None: its messages are not observed.

        Called once for each handler, when a run of the service starts. For actions that stream their replies, write a
        method `stream`, see `StreamInterceptor`.
        """
        ...


AnyOutgoing: TypeAlias = OutgoingInterceptor | OutgoingStreamInterceptor
"""The interceptors that ``Bus(interceptors=[...])`` takes."""

AnyInterceptor: TypeAlias = Interceptor | StreamInterceptor | Observer | AnyOutgoing
"""The interceptors that ``interceptors=[...]`` takes; an object may be of several types."""


class Interceptors(msgspec.Struct, frozen=True):
    """The interceptors of an endpoint, or of a bus, the outermost first.

    Attributes:
        messages: Wrap messages that have one reply or none.
        streams: Wrap messages whose replies are streamed.
        outgoing: Wrap the calls, sends and publishes of a bus.
        outgoing_streams: Wrap the streams that a bus reads.
        opened: Those that are also components: a service opens and closes them.
        observers: Are told how messages that have one reply or none have ended.
    """

    messages: tuple[Interceptor, ...] = ()
    streams: tuple[StreamInterceptor, ...] = ()
    outgoing: tuple[OutgoingInterceptor, ...] = ()
    outgoing_streams: tuple[OutgoingStreamInterceptor, ...] = ()
    opened: tuple[object, ...] = ()
    observers: tuple[Observer, ...] = ()

    def within(self, outer: Interceptors) -> Interceptors:
        """These interceptors inside of `outer`."""
        messages, streams = (*outer.messages, *self.messages), (*outer.streams, *self.streams)
        return Interceptors(messages, streams, observers=(*outer.observers, *self.observers))

    def around(self, endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
        """A handle wrapped in the interceptors. Raises `WiringError` if one raises, or returns nothing callable."""
        for interceptor in reversed(self.messages):
            handle = _made(partial(interceptor, endpoint, handle), interceptor, interceptor, endpoint.title)
        return handle

    def observing(self, endpoint: Endpoint[object]) -> Sequence[Observe]:
        """What is called after each message of an endpoint. Raises as `around` does."""
        made = [
            _made(partial(one.observing, endpoint), one, one.observing, endpoint.title, observes=True)
            for one in self.observers
        ]
        return [observe for observe in made if observe is not None]

    def around_stream(self, endpoint: Endpoint[R], handle: StreamHandle[R]) -> StreamHandle[R]:
        """The handle of a streaming action wrapped in the interceptors. Raises as `around` does."""
        for interceptor in reversed(self.streams):
            make = partial(interceptor.stream, endpoint, handle)
            handle = _made(make, interceptor, interceptor.stream, endpoint.title)
        return handle

    def around_outgoing(self, forward: Forward) -> Forward:
        """The `Forward` of a bus wrapped in the interceptors. Raises as `around` does."""
        for interceptor in reversed(self.outgoing):
            forward = _made(partial(interceptor.outgoing, forward), interceptor, interceptor.outgoing, _OUT)
        return forward

    def around_outgoing_stream(self, forward: ForwardStream) -> ForwardStream:
        """The `ForwardStream` of a bus wrapped in the interceptors. Raises as `around` does."""
        for interceptor in reversed(self.outgoing_streams):
            make = partial(interceptor.outgoing_stream, forward)
            forward = _made(make, interceptor, interceptor.outgoing_stream, _OUT)
        return forward


NONE = Interceptors()


H = TypeVar("H")

_OUT = "what is sent"


_OBSERVED = "return a function of the message, the reply, the error and the seconds, or None"


def _made(make: Callable[[], H], interceptor: object, maker: object, what: str, *, observes: bool = False) -> H:
    name = "forward" if what is _OUT else "handle"
    remedy = f"return `{name}`, or an async function of one message that awaits {name}(message)"
    remedy = _OBSERVED if observes else remedy
    error: Exception | None = None
    try:
        handle = make()
    except Exception as raised:
        error = raised
        path, line = place_of_failure(raised)
        found = f"for {what} it raised {type_and_message(raised)} ({show_path(path)}:{line})"
    else:
        if callable(handle) or (observes and handle is None):
            return handle
        called = "after" if observes else "with"
        found = f"for {what} it returned {handle!r}, which cannot be called {called} a message"
    method = maker if inspect.isroutine(maker) else type(maker).__call__
    place = place_of(getattr(method, "__func__", method))
    raise WiringError(WiringProblem(place, shown(interceptor), found, remedy, code="wrong-interceptor")) from error


def shown(interceptor: object) -> str:
    """The name of an interceptor in messages."""
    return f"interceptor {name_of(interceptor)}"


def name_of(interceptor: object) -> str:
    """The name of the function, or of the class, of an interceptor."""
    return str(getattr(interceptor, "__qualname__", type(interceptor).__qualname__))
