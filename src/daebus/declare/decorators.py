"""The types of the decorators: what each decorator accepts, and the type of the decorated name.

Every overload is one shape of handler. The order matters: both mypy and pyright take the first that fits, and an
`async def` would also fit the overloads for plain functions.
"""

# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Generic, Literal, Never, ParamSpec, TypeAlias, TypeVar, cast, overload

from daebus.payloads.encodable import Encodable

from .decorated import ActionHandler, ContextHandler, ContextPayloadHandler, PayloadHandler, StreamHandler
from .deferring import collect
from .running import Running

__all__ = [
    "AnswerDecorator",
    "ContractDecorator",
    "HandlerDecorator",
    "JoinDecorator",
    "ListenDecorator",
    "MessageDecorator",
    "NamedDecorator",
    "NoDecorator",
    "NoInterval",
    "SilentDecorator",
    "StreamDecorator",
    "ThreadDecorator",
]

In = TypeVar("In", bound=Encodable)
Out = TypeVar("Out", bound=Encodable)
Item = TypeVar("Item", bound=Encodable)
Reply = TypeVar("Reply", bound=Encodable)
Part = TypeVar("Part", bound=Encodable)
Event = TypeVar("Event", bound=Encodable)
Presence = TypeVar("Presence", bound=Encodable)
Nothing = TypeVar("Nothing", bound=Coroutine[Any, Any, None] | None)
Handler = TypeVar("Handler", bound=Callable[..., object])
Silent = TypeVar("Silent", bound=Callable[..., Coroutine[Any, Any, None] | None])
Answering = TypeVar("Answering", bound=Callable[..., Coroutine[Any, Any, Encodable] | Encodable])
Streaming = TypeVar(
    "Streaming", bound=Callable[..., Coroutine[Any, Any, Encodable] | Encodable | AsyncIterator[Encodable]]
)
P = ParamSpec("P")
Rest = ParamSpec("Rest")

NoInterval: TypeAlias = Literal[0, -1, -2, -5, -10, -15, -20, -30, -60, -120, -300, -600, -900, -1800, -3600, -86400]
"""The likeliest numbers that are no interval in seconds; registration refuses all."""

Record = Callable[[Callable[..., object]], object]


class _Decorator:
    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record: Record = lambda handler: collect(lambda: record(handler), cast("object", handler))


class NamedDecorator(_Decorator):
    """``@blueprint.action("name")``: the handler's signature is the contract."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: ContextPayloadHandler[In, AsyncIterator[Part], P, Rest], /
    ) -> StreamHandler[In, Part, P, AsyncIterator[Part]]: ...
    @overload
    def __call__(
        self, handler: ContextHandler[AsyncIterator[Part], P, Rest], /
    ) -> StreamHandler[None, Part, P, AsyncIterator[Part]]: ...
    @overload
    def __call__(
        self, handler: PayloadHandler[In, AsyncIterator[Part], P, Rest], /
    ) -> StreamHandler[In, Part, P, AsyncIterator[Part]]: ...
    @overload
    def __call__(
        self, handler: Callable[P, AsyncIterator[Part]], /
    ) -> StreamHandler[None, Part, P, AsyncIterator[Part]]: ...
    @overload
    def __call__(
        self, handler: ContextPayloadHandler[In, Coroutine[Any, Any, Reply], P, Rest], /
    ) -> ActionHandler[In, Reply, P, Coroutine[Any, Any, Reply]]: ...
    @overload
    def __call__(
        self, handler: ContextHandler[Coroutine[Any, Any, Reply], P, Rest], /
    ) -> ActionHandler[None, Reply, P, Coroutine[Any, Any, Reply]]: ...
    @overload
    def __call__(
        self, handler: PayloadHandler[In, Coroutine[Any, Any, Reply], P, Rest], /
    ) -> ActionHandler[In, Reply, P, Coroutine[Any, Any, Reply]]: ...
    @overload
    def __call__(
        self, handler: Callable[P, Coroutine[Any, Any, Reply]], /
    ) -> ActionHandler[None, Reply, P, Coroutine[Any, Any, Reply]]: ...
    # For a function that is wrapped by a decorator of the user.
    @overload
    def __call__(
        self, handler: ContextPayloadHandler[In, Awaitable[Reply], P, Rest], /
    ) -> ActionHandler[In, Reply, P, Awaitable[Reply]]: ...
    @overload
    def __call__(
        self, handler: ContextHandler[Awaitable[Reply], P, Rest], /
    ) -> ActionHandler[None, Reply, P, Awaitable[Reply]]: ...
    @overload
    def __call__(
        self, handler: PayloadHandler[In, Awaitable[Reply], P, Rest], /
    ) -> ActionHandler[In, Reply, P, Awaitable[Reply]]: ...
    @overload
    def __call__(
        self, handler: Callable[P, Awaitable[Reply]], /
    ) -> ActionHandler[None, Reply, P, Awaitable[Reply]]: ...
    @overload
    def __call__(self, handler: ContextPayloadHandler[In, Reply, P, Rest], /) -> ActionHandler[In, Reply, P, Reply]: ...
    @overload
    def __call__(self, handler: ContextHandler[Reply, P, Rest], /) -> ActionHandler[None, Reply, P, Reply]: ...
    @overload
    def __call__(self, handler: PayloadHandler[In, Reply, P, Rest], /) -> ActionHandler[In, Reply, P, Reply]: ...
    @overload
    def __call__(self, handler: Callable[P, Reply], /) -> ActionHandler[None, Reply, P, Reply]: ...
    def __call__(self, handler: Callable[..., object], /) -> object:
        """Record the handler."""
        return self._record(handler)


class ContractDecorator(_Decorator, Generic[In, Out]):
    """``@blueprint.action(GET_USER)``: the handler's types must match the contract."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: PayloadHandler[In, Coroutine[Any, Any, Out], P, Rest], /
    ) -> ActionHandler[In, Out, P, Coroutine[Any, Any, Out]]: ...
    @overload
    def __call__(
        self, handler: ContextPayloadHandler[In, Coroutine[Any, Any, Out], P, Rest], /
    ) -> ActionHandler[In, Out, P, Coroutine[Any, Any, Out]]: ...
    @overload
    def __call__(
        self: ContractDecorator[None, Out], handler: Callable[P, Coroutine[Any, Any, Out]], /
    ) -> ActionHandler[None, Out, P, Coroutine[Any, Any, Out]]: ...
    @overload
    def __call__(self, handler: PayloadHandler[In, Out, P, Rest], /) -> ActionHandler[In, Out, P, Out]: ...
    @overload
    def __call__(self, handler: ContextPayloadHandler[In, Out, P, Rest], /) -> ActionHandler[In, Out, P, Out]: ...
    @overload
    def __call__(
        self: ContractDecorator[None, Out], handler: Callable[P, Out], /
    ) -> ActionHandler[None, Out, P, Out]: ...
    def __call__(self, handler: Callable[..., object], /) -> object:
        """Record the handler."""
        return self._record(handler)


class StreamDecorator(_Decorator, Generic[In, Item]):
    """``@blueprint.action(IMPORT_USERS)`` of a `StreamAction`: the handler is an async generator."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: PayloadHandler[In, AsyncIterator[Item], P, Rest], /
    ) -> StreamHandler[In, Item, P, AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self, handler: ContextPayloadHandler[In, AsyncIterator[Item], P, Rest], /
    ) -> StreamHandler[In, Item, P, AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self: StreamDecorator[None, Item], handler: Callable[P, AsyncIterator[Item]], /
    ) -> StreamHandler[None, Item, P, AsyncIterator[Item]]: ...
    def __call__(self, handler: Callable[..., object], /) -> object:
        """Record the handler."""
        return self._record(handler)


class ListenDecorator(_Decorator, Generic[Event]):
    """``@blueprint.listen(USER_EVENTS)``: the handler must take every event of the channel."""

    __slots__ = ()

    def __call__(self, handler: PayloadHandler[Event, Nothing, P, Rest], /) -> Callable[P, Nothing]:
        """Record the handler and return it unchanged."""
        self._record(handler)
        return handler


class HandlerDecorator(_Decorator):
    """``@blueprint.route("/users")``: the handler may return anything and is returned unchanged."""

    __slots__ = ()

    def __call__(self, handler: Handler, /) -> Handler:
        """Record the handler."""
        self._record(handler)
        return handler


class MessageDecorator(_Decorator):
    """``@blueprint.socket("type")``: what the handler returns or yields goes to the client."""

    __slots__ = ()

    def __call__(self, handler: Streaming, /) -> Streaming:
        """Record the handler."""
        self._record(handler)
        return handler


class AnswerDecorator(_Decorator):
    """``@blueprint.socket_connect()``: what the handler returns goes to the client."""

    __slots__ = ()

    def __call__(self, handler: Answering, /) -> Answering:
        """Record the handler."""
        self._record(handler)
        return handler


class JoinDecorator(_Decorator, Generic[Presence]):
    """``@blueprint.socket_join(AUCTION)``: the handler returns the presence of the client, of the type of the room."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[P, Coroutine[Any, Any, Presence]], /
    ) -> Callable[P, Coroutine[Any, Any, Presence]]: ...
    @overload
    def __call__(self, handler: Callable[P, Presence], /) -> Callable[P, Presence]: ...
    def __call__(self, handler: Callable[..., object], /) -> object:
        """Record the handler and return it unchanged."""
        self._record(handler)
        return handler


class SilentDecorator(_Decorator):
    """``@blueprint.background("cleanup", 60)`` and the like: the handler's return value is not used."""

    __slots__ = ()

    def __call__(self, handler: Silent, /) -> Silent:
        """Record the handler."""
        self._record(handler)
        return handler


class NoDecorator(_Decorator):
    """What ``@blueprint.background("cleanup", -60)`` is for a type checker: it takes no handler."""

    __slots__ = ()

    def __call__(self, seconds_must_be_above_0: Never, /) -> Never:
        """Take nothing."""
        raise NotImplementedError


class ThreadDecorator(_Decorator):
    """``@blueprint.thread("monitor")``: the handler is a plain function that takes the `Running` switch."""

    __slots__ = ()

    def __call__(self, handler: PayloadHandler[Running, None, P, Rest], /) -> Callable[P, None]:
        """Record the handler."""
        self._record(handler)
        return handler
