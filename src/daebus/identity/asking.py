"""The call of the user's function that finds a user, as a context manager, which is what per-message objects are."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import cast

from daebus.mistakes.places import unwrap

__all__ = ["asking", "asking_async", "is_async"]


def is_async(function: Callable[..., object]) -> bool:
    """Whether a function must be awaited."""
    inner = unwrap(function)
    called = inner if inspect.isroutine(inner) else vars(type(inner)).get("__call__")
    return inspect.iscoroutinefunction(called)


def asking_async(find_user: Callable[..., object], accept: Callable[..., object]) -> Callable[..., object]:
    """A function with the signature of an async `find_user` that opens a context with what `accept` makes of it."""

    @functools.wraps(find_user)
    async def ask(*args: object, **kwargs: object) -> AsyncGenerator[object]:
        yield accept(await cast("Awaitable[object]", find_user(*args, **kwargs)))

    return contextlib.asynccontextmanager(ask)


def asking(find_user: Callable[..., object], accept: Callable[..., object]) -> Callable[..., object]:
    """A function with the signature of `find_user` that opens a context with what `accept` makes of the user."""

    @functools.wraps(find_user)
    def ask(*args: object, **kwargs: object) -> Generator[object]:
        yield accept(find_user(*args, **kwargs))

    return contextlib.contextmanager(ask)
