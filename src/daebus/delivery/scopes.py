"""The scope of the per-message objects of one message."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack
from contextvars import Token
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, cast

from dependency_injector import providers

from daebus.core.context import Context, current_context
from daebus.errors import DaebusError

from .per_message import MessageProvider, Scope, open_scope
from .workers import Workers, to_its_end

__all__ = ["MessageScope", "OpenScope", "keep_open"]

T = TypeVar("T")

_lock = threading.Lock()
"""Guards the moment in which a thread ends while the event loop gives up waiting for it."""


class MessageScope:
    """The per-message objects that a set of providers needs.

    Attributes:
        order: Their providers, in the order in which they must be opened, without overrides.
        reached: All providers that were visited on the way to them.
    """

    __slots__ = ("_roots", "order", "reached")

    def __init__(self, roots: Iterable[providers.Provider[object]]) -> None:
        self._roots = tuple(sorted(roots, key=_is_later))
        order, reached = _walk(self._roots, overridden=False)
        self.order: tuple[MessageProvider[object], ...] = order
        self.reached: tuple[providers.Provider[object], ...] = reached

    def opened(self, *, in_thread: bool = False) -> OpenScope | None:
        """A context in which the objects of one message are open; None if it has none.

        Args:
            in_thread: Whether objects that need no event loop are opened in the thread; see `OpenScope.call`.
        """
        order = self.order
        if any(provider.last_overriding is not None for provider in self.reached):
            order, _ = _walk(self._roots, overridden=True)
        if not order:
            return None
        return OpenScope(order, _count_on_loop(order) if in_thread else len(order))


class OpenScope:
    """The per-message objects of one message: opened in order, left in reverse.

    An exception of the handler is thrown into each of them; they cannot suppress it.

    Attributes:
        objects: The open objects, by their providers.
    """

    __slots__ = ("_is_kept", "_is_over", "_left", "_message", "_now", "_stack", "_thread_stack", "_token", "objects")

    _token: Token[Scope | None]

    def __init__(self, order: Sequence[MessageProvider[object]], now: int) -> None:
        self._now, self._left = order[:now], order[now:]
        self.objects: dict[object, object] = {}
        self._stack = AsyncExitStack()
        self._thread_stack: ExitStack | None = None
        self._message: Context | None = None
        self._is_kept = self._is_over = False

    @property
    def holds(self) -> bool:
        """Whether it has opened something on the event loop."""
        return bool(self._now)

    def is_of(self, message: Context | None) -> bool:
        """Whether its objects belong to this message, and not to a message whose handler has called this one."""
        return self._message is message

    async def __aenter__(self) -> Self:
        self._token = open_scope.set(self)
        self._message = current_context.get()
        try:
            for provider in self._now:
                self.objects[provider] = await self._open(provider)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def _open(self, provider: MessageProvider[object]) -> object:
        manager = provider.manager()
        if provider.is_async:
            return await self._stack.enter_async_context(cast("AbstractAsyncContextManager[object]", manager))
        return self._stack.enter_context(cast("AbstractContextManager[object]", manager))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None or not self._is_kept:
                if self._left:
                    await self._give_up_thread(error)
                await self._close(error)
        finally:
            open_scope.reset(self._token)

    async def _give_up_thread(self, error: BaseException | None) -> None:
        with _lock:
            self._is_over, stack = True, self._thread_stack
        if stack is not None:  # it was cancelled just as the thread ended, so its result is lost
            await to_its_end(asyncio.to_thread(self._close_in_thread, stack, error))

    async def _close(self, error: BaseException | None) -> None:
        try:
            swallowed = await self._stack.__aexit__(*_described(error))
        finally:
            # A task that outlives the handler must not find closed objects.
            self.objects.clear()
        if swallowed and error is not None:
            raise _SwallowedError(self._now) from error

    def keep(self) -> None:
        """Keep the objects open if nothing fails; the caller must call `leave` at the end."""
        self._is_kept = True

    @contextlib.contextmanager
    def entered(self) -> Generator[None]:
        """A context in which the objects that were kept open are available."""
        token = open_scope.set(self)
        try:
            yield
        finally:
            open_scope.reset(token)

    async def leave(self, error: BaseException | None, workers: Workers) -> None:
        """Leave the objects that were kept open; call it inside `entered`, in the task in which they were opened.

        Args:
            error: The failure that is thrown into them.
            workers: The thread pool for objects that were opened in a thread.

        Raises:
            BaseException: An exception of one of them, unless it is `error`.
        """
        raised, stack = error, self._thread_stack
        if stack is not None:
            try:
                await to_its_end(workers.run(partial(self._close_in_thread, stack, error)))
            except BaseException as failure:
                raised = failure
        await self._close(raised)
        if raised is not None and raised is not error:
            raise raised

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in this thread, with the objects open that belong to the thread."""
        if not self._left:
            return function()
        stack = ExitStack()
        try:
            for provider in self._left:
                manager = cast("AbstractContextManager[object]", provider.manager())
                self.objects[provider] = stack.enter_context(manager)
            result = function()
        except BaseException as error:
            self._close_in_thread(stack, error)
            raise
        with _lock:
            is_kept = self._is_kept and not self._is_over
            if is_kept:
                self._thread_stack = stack
        if not is_kept:
            stack.close()
        return result

    def _close_in_thread(self, stack: ExitStack, error: BaseException | None) -> None:
        if stack.__exit__(*_described(error)) and error is not None:
            raise _SwallowedError(self._left) from error


def keep_open() -> OpenScope | None:
    """The per-message objects of the message that is being handled; they stay open until `OpenScope.leave`.

    None if the message has none.
    """
    scope = open_scope.get()
    if not isinstance(scope, OpenScope) or not scope.is_of(current_context.get()):
        return None
    scope.keep()
    return scope


def _is_later(provider: providers.Provider[object]) -> bool:
    return not (isinstance(provider, MessageProvider) and provider.is_first)


def _described(
    error: BaseException | None,
) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)


class _SwallowedError(DaebusError):
    def __init__(self, providers_: Iterable[MessageProvider[object]]) -> None:
        names = " or ".join(_shown(provider.opens) for provider in providers_)
        super().__init__(f"The handler failed, but {names} swallowed its exception: let it be raised again")


def _shown(function: object) -> str:
    return str(getattr(function, "__qualname__", function))


def _walk(
    roots: Iterable[providers.Provider[object]], *, overridden: bool
) -> tuple[tuple[MessageProvider[object], ...], tuple[providers.Provider[object], ...]]:
    """The per-message providers below `roots`, each after its dependencies, and all visited providers.

    Args:
        roots: The providers to begin with.
        overridden: Whether overriding providers replace the overridden ones.
    """
    order: list[MessageProvider[object]] = []
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
            return  # They outlive the message, so they must not depend on it.
        for needed in provider.related:
            if needed not in provider.overridden:
                visit(needed)
        if isinstance(provider, MessageProvider):
            order.append(provider)

    for root in roots:
        visit(root)
    return tuple(order), tuple(reached)


def _count_on_loop(order: Sequence[MessageProvider[object]]) -> int:
    """How many providers, from the first to the last async one, must be opened on the event loop."""
    return max((index + 1 for index, provider in enumerate(order) if provider.is_async), default=0)
