"""The typed halves of the decorators: what each accepts, and what the decorated name then is.

Every overload is one shape of handler. The order matters: both mypy and pyright take the first that fits, and an
`async def` would also fit the overloads for plain functions.
"""

# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Concatenate, Generic, ParamSpec, TypeVar, overload

from .context import Context
from .handlers import ActionHandler, StreamHandler
from .running import Running

__all__ = [
    "ContractDecorator",
    "HandlerDecorator",
    "ListenDecorator",
    "NamedDecorator",
    "SilentDecorator",
    "StreamDecorator",
    "ThreadDecorator",
]

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")
Event = TypeVar("Event")
Nothing = TypeVar("Nothing", bound=Coroutine[object, object, None] | None)
Handler = TypeVar("Handler", bound=Callable[..., object])
Silent = TypeVar("Silent", bound=Callable[..., Coroutine[object, object, None] | None])
P = ParamSpec("P")

Record = Callable[[Callable[..., object]], object]


class _Decorator:
    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record


class NamedDecorator(_Decorator):
    """``@blueprint.action("name")``: the handler's signature is the contract."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, In, P], AsyncIterator[Item]], /
    ) -> StreamHandler[In, Item, Concatenate[Context, In, P], AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, P], AsyncIterator[Item]], /
    ) -> StreamHandler[None, Item, Concatenate[Context, P], AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[In, P], AsyncIterator[Item]], /
    ) -> StreamHandler[In, Item, Concatenate[In, P], AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self, handler: Callable[P, AsyncIterator[Item]], /
    ) -> StreamHandler[None, Item, P, AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, In, P], Coroutine[object, object, Out]], /
    ) -> ActionHandler[In, Out, Concatenate[Context, In, P], Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, P], Coroutine[object, object, Out]], /
    ) -> ActionHandler[None, Out, Concatenate[Context, P], Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[In, P], Coroutine[object, object, Out]], /
    ) -> ActionHandler[In, Out, Concatenate[In, P], Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self, handler: Callable[P, Coroutine[object, object, Out]], /
    ) -> ActionHandler[None, Out, P, Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, In, P], Out], /
    ) -> ActionHandler[In, Out, Concatenate[Context, In, P], Out]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, P], Out], /
    ) -> ActionHandler[None, Out, Concatenate[Context, P], Out]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[In, P], Out], /
    ) -> ActionHandler[In, Out, Concatenate[In, P], Out]: ...
    @overload
    def __call__(self, handler: Callable[P, Out], /) -> ActionHandler[None, Out, P, Out]: ...
    def __call__(self, handler: Callable[..., object], /) -> object:
        """Record the handler."""
        return self._record(handler)


class ContractDecorator(_Decorator, Generic[In, Out]):
    """``@blueprint.action(GET_USER)``: the handler must do what the contract says."""

    __slots__ = ()

    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, In, P], Coroutine[object, object, Out]], /
    ) -> ActionHandler[In, Out, Concatenate[Context, In, P], Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[In, P], Coroutine[object, object, Out]], /
    ) -> ActionHandler[In, Out, Concatenate[In, P], Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self: ContractDecorator[None, Out], handler: Callable[P, Coroutine[object, object, Out]], /
    ) -> ActionHandler[None, Out, P, Coroutine[object, object, Out]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, In, P], Out], /
    ) -> ActionHandler[In, Out, Concatenate[Context, In, P], Out]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[In, P], Out], /
    ) -> ActionHandler[In, Out, Concatenate[In, P], Out]: ...
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
        self, handler: Callable[Concatenate[Context, In, P], AsyncIterator[Item]], /
    ) -> StreamHandler[In, Item, Concatenate[Context, In, P], AsyncIterator[Item]]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[In, P], AsyncIterator[Item]], /
    ) -> StreamHandler[In, Item, Concatenate[In, P], AsyncIterator[Item]]: ...
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

    def __call__(
        self, handler: Callable[Concatenate[Event, P], Nothing], /
    ) -> Callable[Concatenate[Event, P], Nothing]:
        """Record the handler, and leave it the function that it is."""
        self._record(handler)
        return handler


class HandlerDecorator(_Decorator):
    """``@blueprint.route("/users")`` and the like: the handler may return anything, and stays what it is."""

    __slots__ = ()

    def __call__(self, handler: Handler, /) -> Handler:
        """Record the handler."""
        self._record(handler)
        return handler


class SilentDecorator(_Decorator):
    """``@blueprint.background("cleanup", 60)`` and the like: nobody would get what the handler returns."""

    __slots__ = ()

    def __call__(self, handler: Silent, /) -> Silent:
        """Record the handler."""
        self._record(handler)
        return handler


class ThreadDecorator(_Decorator):
    """``@blueprint.thread("monitor")``: the handler is a plain function that takes the switch."""

    __slots__ = ()

    def __call__(self, handler: Callable[Concatenate[Running, P], None], /) -> Callable[Concatenate[Running, P], None]:
        """Record the handler."""
        self._record(handler)
        return handler
