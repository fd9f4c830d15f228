"""`PerMessage`: a provider of one object per message."""

from __future__ import annotations

import contextlib
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar, cast, overload

from dependency_injector import providers

from daebus.declare.signatures import return_hint
from daebus.errors import WiringError
from daebus.mistakes.places import caller_place, place_of, place_of_class, unwrap
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note

__all__ = ["MessageProvider", "PerMessage", "Scope", "open_scope"]

T = TypeVar("T")


class Scope(Protocol):
    """The per-message objects of the message that is being handled, by their providers."""

    @property
    def objects(self) -> Mapping[object, object]:
        """The open objects."""
        ...


open_scope: ContextVar[Scope | None] = ContextVar("daebus_per_message", default=None)


class MessageProvider(providers.Provider[T], Generic[T]):
    """A provider of one object per message, which is made before the handler runs, and left after it.

    Args:
        opens: The user's function.
        factory: Calls it; gives a context manager.
        is_async: Whether that must be entered on the event loop.

    Attributes:
        is_first: Whether it is opened before others that it does not need, because it may refuse the message.
    """

    is_first: ClassVar[bool] = False

    if TYPE_CHECKING:
        # What every object has, and this type alone has not: so that the type of what a singleton keeps refuses it.
        __sizeof__: None  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __init__(self, opens: Callable[..., object], factory: providers.Factory[object], *, is_async: bool) -> None:
        self.opens = opens
        self.is_async = is_async
        self._factory = factory
        super().__init__()

    @property
    def related(self) -> Iterator[providers.Provider[object]]:
        """The providers that this one needs; dependency-injector walks them."""
        yield self._factory
        yield from super().related

    def manager(self) -> object:
        """A new context manager, its arguments injected."""
        return self._factory()

    def _copied_arguments(self, memo: dict[int, object]) -> tuple[tuple[object, ...], dict[str, object]]:
        """The arguments, copied with the container."""
        factory = self._factory
        return providers.deepcopy(factory.args, memo), providers.deepcopy(factory.kwargs, memo)

    def _provide(self, args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        scope = open_scope.get()
        if scope is None or self not in scope.objects:
            raise LookupError(
                f"the per-message object of {self.opens!r} exists only while a message is handled: "
                "name it as a parameter of the handler, or of a Factory that the handler gets"
            )
        return cast("T", scope.objects[self])


class PerMessage(MessageProvider[T], Generic[T]):
    """A provider of one object per message, shared by all services that are injected for that message.

    `opens` is a generator function, sync or async, that yields the object once, or a function or class that returns a
    context manager. The context is entered before the handler runs. It is left after the reply was encoded; for a
    streamed response, before the end of the body is sent. An exception of the handler or of the body is thrown into it,
    so that it can roll back; if the client disconnects early, this is a `CancelledError`. Further arguments are
    injected as in a ``Factory``.

    Example:
        ``session = PerMessage(open_session, db=db)``

    Raises:
        WiringError: `opens` is neither a generator function nor known to return a context manager.
    """

    @overload
    def __init__(self, opens: Callable[..., AsyncIterator[T]], *args: object, **kwargs: object) -> None: ...
    @overload
    def __init__(self, opens: Callable[..., Iterator[T]], *args: object, **kwargs: object) -> None: ...
    @overload
    def __init__(
        self, opens: Callable[..., AbstractAsyncContextManager[T, bool | None]], *args: object, **kwargs: object
    ) -> None: ...
    @overload
    def __init__(
        self, opens: Callable[..., AbstractContextManager[T, bool | None]], *args: object, **kwargs: object
    ) -> None: ...
    def __init__(self, opens: Callable[..., object], *args: object, **kwargs: object) -> None:
        factory: providers.Factory[object] = providers.Factory(_as_manager(opens), *args, **kwargs)
        super().__init__(opens, factory, is_async=_is_async(opens))

    def __deepcopy__(self, memo: dict[int, object]) -> PerMessage[T]:
        args, kwargs = self._copied_arguments(memo)
        copied = type(self)(cast("Callable[..., AsyncIterator[T]]", self.opens), *args, **kwargs)
        # Overriding providers refer to it and are copied with it.
        memo[id(self)] = copied
        self._copy_overridings(copied, memo)
        return copied


def _as_manager(open_: Callable[..., object]) -> Callable[..., object]:
    if inspect.isasyncgenfunction(open_):
        return contextlib.asynccontextmanager(open_)
    if inspect.isgeneratorfunction(open_):
        return contextlib.contextmanager(open_)
    return open_


def _is_async(open_: Callable[..., object]) -> bool:
    """Whether the object must be entered on the event loop."""
    inner = unwrap(open_)
    if inspect.isasyncgenfunction(inner):
        return True
    if inspect.isgeneratorfunction(inner):
        return False
    gives: object = inner if isinstance(inner, type) else return_hint(inner)
    gives = typing.get_origin(gives) or gives
    for entering, on_loop in (("__aenter__", True), ("__enter__", False)):
        if hasattr(gives, entering):
            return on_loop
    raise WiringError(
        WiringProblem(
            caller_place(),
            f"PerMessage({getattr(open_, '__qualname__', open_)!s})",
            f"{getattr(open_, '__qualname__', open_)!s} is no generator function "
            "and is not known to give a context manager",
            "let it yield the object, or use providers.Factory for an object that needs no closing",
            code="wrong-per-message",
            notes=[Note("defined here", place_of_class(open_) if isinstance(open_, type) else place_of(open_))],
        )
    )
