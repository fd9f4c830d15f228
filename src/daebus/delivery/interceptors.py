"""Interceptors: what stands around every message of a handler, on whatever transport it comes.

They are called once for each handler, when a run of the service starts; what they return is called for each message.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import msgspec

from daebus.errors import WiringError
from daebus.mistakes.places import place_of
from daebus.mistakes.problem import WiringProblem

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
    "StreamHandle",
    "StreamInterceptor",
    "shown",
]

R = TypeVar("R")

Handle: TypeAlias = Callable[["Incoming"], Awaitable[R]]
"""Hands a message on, and returns the encoded reply."""

StreamHandle: TypeAlias = Callable[["Incoming"], AsyncGenerator[R]]
"""Hands a message on to an async generator, and yields the encoded items."""


class Interceptor(Protocol):
    """What stands around the messages of handlers, such as a timer or a check of who asks.

    Called once for each handler, when a run of the service starts. What it returns is called for each message; where it
    returns `handle` itself, the handler's messages pass it by, and cost nothing.
    """

    def __call__(self, endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        """What is called for each message of a handler.

        Args:
            endpoint: The handler.
            handle: Hands the message on: to the next interceptor, and in the end to the handler.
        """
        ...


class StreamInterceptor(Protocol):
    """What stands around the messages of actions that stream their replies."""

    def stream(self, endpoint: Endpoint[R], handle: StreamHandle[R], /) -> StreamHandle[R]:
        """As `Interceptor`, for an action that streams: what it returns yields the encoded items."""
        ...


AnyOutgoing: TypeAlias = OutgoingInterceptor | OutgoingStreamInterceptor
"""What ``Bus(interceptors=[...])`` takes."""

AnyInterceptor: TypeAlias = Interceptor | StreamInterceptor | AnyOutgoing
"""What ``interceptors=[...]`` takes; an object may be several of them."""


class Interceptors(msgspec.Struct, frozen=True):
    """The interceptors of an endpoint, or of a bus, the outermost first.

    Attributes:
        messages: Around messages that have one reply, or none.
        streams: Around messages whose replies are streamed.
        outgoing: Around what a bus calls, sends and publishes.
        outgoing_streams: Around the streams that it reads.
    """

    messages: tuple[Interceptor, ...] = ()
    streams: tuple[StreamInterceptor, ...] = ()
    outgoing: tuple[OutgoingInterceptor, ...] = ()
    outgoing_streams: tuple[OutgoingStreamInterceptor, ...] = ()

    def within(self, outer: Interceptors) -> Interceptors:
        """These, with others around them."""
        return Interceptors((*outer.messages, *self.messages), (*outer.streams, *self.streams))

    def around(self, endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
        """A handle with the interceptors around it. Raises `WiringError` where one returns what cannot be called."""
        for interceptor in reversed(self.messages):
            handle = _checked(interceptor(endpoint, handle), interceptor, interceptor, endpoint.title)
        return handle

    def around_stream(self, endpoint: Endpoint[R], handle: StreamHandle[R]) -> StreamHandle[R]:
        """As `around`, for an action that streams."""
        for interceptor in reversed(self.streams):
            handle = _checked(interceptor.stream(endpoint, handle), interceptor, interceptor.stream, endpoint.title)
        return handle

    def around_outgoing(self, forward: Forward) -> Forward:
        """What hands on calls, sends and publishes, with the interceptors around it. Raises as `around` does."""
        for interceptor in reversed(self.outgoing):
            forward = _checked(interceptor.outgoing(forward), interceptor, interceptor.outgoing, _OUT)
        return forward

    def around_outgoing_stream(self, forward: ForwardStream) -> ForwardStream:
        """As `around_outgoing`, for streams."""
        for interceptor in reversed(self.outgoing_streams):
            forward = _checked(interceptor.outgoing_stream(forward), interceptor, interceptor.outgoing_stream, _OUT)
        return forward


NONE = Interceptors()


H = TypeVar("H")

_OUT = "what is sent"


def _checked(handle: H, interceptor: object, maker: object, what: str) -> H:
    if callable(handle):
        return handle
    found = f"for {what} it returned {handle!r}, which cannot be called with a message"
    name = "forward" if what is _OUT else "handle"
    remedy = f"return `{name}`, or an async function of one message that awaits {name}(message)"
    method = maker if inspect.isroutine(maker) else type(maker).__call__
    place = place_of(getattr(method, "__func__", method))
    raise WiringError(WiringProblem(place, shown(interceptor), found, remedy, code="wrong-interceptor"))


def shown(interceptor: object) -> str:
    """What an interceptor is called in messages."""
    name = getattr(interceptor, "__qualname__", type(interceptor).__qualname__)
    return f"interceptor {name}"
