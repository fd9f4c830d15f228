"""`PerMessage`: a provider of one object a message, and the scope in which those objects live."""

from __future__ import annotations

import contextlib
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Generic, Self, TypeVar, cast, overload

from dependency_injector import providers

from daebus.core.diagnostics import Note
from daebus.core.errors import DaebusError, WiringError
from daebus.core.places import caller_place, place_of, place_of_class, unwrap
from daebus.core.problems import WiringProblem
from daebus.core.signatures import return_hint

__all__ = ["MessageScope", "OpenScope", "PerMessage"]

T = TypeVar("T")

_objects: ContextVar[dict[object, object] | None] = ContextVar("daebus_per_message", default=None)


class PerMessage(providers.Provider[T], Generic[T]):
    """A provider of one object for each message, shared by everything that is injected for that message.

    `opens` is a generator function, sync or async, that yields the object once, or a function or class that gives a
    context manager. It is entered before the handler and left after the reply was encoded; an exception of the
    handler is thrown into it, so that it can roll back. Further arguments are injected as in a ``Factory``.

    Example:
        ``session = PerMessage(open_session, db=db)``

    Raises:
        WiringError: `opens` is neither a generator function nor known to give a context manager.
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
        self.opens = opens
        self.is_async: bool = _is_async(opens)
        self._factory: providers.Factory[object] = providers.Factory(_as_manager(opens), *args, **kwargs)
        super().__init__()

    def __deepcopy__(self, memo: dict[int, object]) -> PerMessage[T]:
        # The arguments are copied with the container; what opens the object is already a context manager.
        factory = self._factory
        args, kwargs = providers.deepcopy(factory.args, memo), providers.deepcopy(factory.kwargs, memo)
        copied = type(self)(cast("Callable[..., AsyncIterator[T]]", self.opens), *args, **kwargs)
        # What overrides it knows it, and is copied with it.
        memo[id(self)] = copied
        self._copy_overridings(copied, memo)
        return copied

    @property
    def related(self) -> Iterator[providers.Provider[object]]:
        """The providers that this one needs; dependency-injector walks them."""
        yield self._factory
        yield from super().related

    def manager(self) -> object:
        """A new context manager, its arguments injected."""
        return self._factory()

    def _provide(self, args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        objects = _objects.get()
        if objects is None or self not in objects:
            raise LookupError(
                f"the per-message object of {self.opens!r} exists only while a message is handled: "
                "name it as a parameter of the handler, or of a Factory that the handler gets"
            )
        return cast("T", objects[self])


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


class MessageScope:
    """The per-message objects that some providers reach.

    Attributes:
        order: Their providers, in the order in which they must be opened, where nothing is overridden.
        reached: All providers that were passed on the way to them.
    """

    __slots__ = ("_roots", "order", "reached")

    def __init__(self, roots: Iterable[providers.Provider[object]]) -> None:
        self._roots = tuple(roots)
        order, reached = _walk(self._roots, overridden=False)
        self.order: tuple[PerMessage[object], ...] = order
        self.reached: tuple[providers.Provider[object], ...] = reached

    def opened(self, *, in_thread: bool = False) -> OpenScope | None:
        """A context in which the objects of one message are open; None where it has none.

        Args:
            in_thread: Whether those that need no event loop are left for the thread, see `OpenScope.call`.
        """
        order = self.order
        if any(provider.last_overriding is not None for provider in self.reached):
            order, _ = _walk(self._roots, overridden=True)
        if not order:
            return None
        return OpenScope(order, _count_on_loop(order) if in_thread else len(order))


class OpenScope:
    """The per-message objects of one message: opened in order, left in reverse.

    An exception of the handler is thrown into each of them; none can make it go away.
    """

    __slots__ = ("_left", "_now", "_objects", "_stack", "_token")

    _token: Token[dict[object, object] | None]

    def __init__(self, order: Sequence[PerMessage[object]], now: int) -> None:
        self._now, self._left = order[:now], order[now:]
        self._objects: dict[object, object] = {}
        self._stack = AsyncExitStack()

    @property
    def holds(self) -> bool:
        """Whether it has opened something on the event loop."""
        return bool(self._now)

    async def __aenter__(self) -> Self:
        self._token = _objects.set(self._objects)
        try:
            for provider in self._now:
                self._objects[provider] = await self._open(provider)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def _open(self, provider: PerMessage[object]) -> object:
        manager = provider.manager()
        if provider.is_async:
            return await self._stack.enter_async_context(cast("AbstractAsyncContextManager[object]", manager))
        return self._stack.enter_context(cast("AbstractContextManager[object]", manager))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            swallowed = await self._stack.__aexit__(kind, error, traceback)
        finally:
            _objects.reset(self._token)
            # A task that the handler has left behind must not find what is closed.
            self._objects.clear()
        if swallowed and error is not None:
            raise _SwallowedError(self._now) from error

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in this thread, with those objects open that were left for the thread."""
        if not self._left:
            return function()
        stack = ExitStack()
        try:
            for provider in self._left:
                manager = cast("AbstractContextManager[object]", provider.manager())
                self._objects[provider] = stack.enter_context(manager)
            result = function()
        except BaseException as error:
            if stack.__exit__(type(error), error, error.__traceback__):
                raise _SwallowedError(self._left) from error
            raise
        stack.close()
        return result


class _SwallowedError(DaebusError):
    def __init__(self, providers_: Iterable[PerMessage[object]]) -> None:
        names = " or ".join(_shown(provider.opens) for provider in providers_)
        super().__init__(f"The handler failed, but {names} swallowed its exception: let it be raised again")


def _shown(function: object) -> str:
    return str(getattr(function, "__qualname__", function))


def _walk(
    roots: Iterable[providers.Provider[object]], *, overridden: bool
) -> tuple[tuple[PerMessage[object], ...], tuple[providers.Provider[object], ...]]:
    """The per-message providers below `roots`, each after those that it needs, and all that were passed on the way.

    Args:
        roots: Where to begin.
        overridden: Whether what overrides a provider takes its place.
    """
    order: list[PerMessage[object]] = []
    reached: dict[providers.Provider[object], None] = {}

    def visit(provider: providers.Provider[object]) -> None:
        if provider in reached:
            return
        reached[provider] = None
        overriding = provider.last_overriding
        if overridden and overriding is not None:
            visit(overriding)
            return
        if isinstance(provider, providers.BaseSingleton | providers.BaseResource):
            return  # They outlive the message, so they may need nothing of it.
        for needed in provider.related:
            if needed not in provider.overridden:
                visit(needed)
        if isinstance(provider, PerMessage):
            order.append(provider)

    for root in roots:
        visit(root)
    return tuple(order), tuple(reached)


def _count_on_loop(order: Sequence[PerMessage[object]]) -> int:
    """How many of the first ones must be opened on the event loop: up to the last async one."""
    return max((index + 1 for index, provider in enumerate(order) if provider.is_async), default=0)
