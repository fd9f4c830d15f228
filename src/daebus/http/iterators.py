"""The body iterators of Litestar's streaming responses: run in our threads and closed in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar, cast

from typing_extensions import override

from daebus.core.cancelling import EXITS
from daebus.delivery.workers import Workers, to_its_end

from .litestar_internals import BODY_ITERATORS, AsyncIteratorWrapper

__all__ = ["close_iterators", "thread_iterators"]

T = TypeVar("T")


class _InThreads(AsyncIterator[T]):
    """An iterator whose steps run in threads; closing it waits for a running step.

    Args:
        iterator: The iterator, such as a generator.
        workers: The threads.
    """

    def __init__(self, iterator: Iterator[T], workers: Workers) -> None:
        self._iterator = iterator
        self._workers = workers
        self._end = object()
        self._step: asyncio.Future[object] | None = None

    @override
    async def __anext__(self) -> T:
        step = self._step = asyncio.ensure_future(self._workers.run(self._next))
        item = await asyncio.shield(step)
        if item is self._end:
            raise StopAsyncIteration
        return cast("T", item)

    def _next(self) -> object:
        try:
            return next(self._iterator, self._end)
        except EXITS as error:  # no task can carry them
            raise RuntimeError(f"the body of a response raised {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close the iterator, if it is a generator."""
        if self._step is not None and not self._step.done():
            await to_its_end(asyncio.wait({self._step}))
        if self._step is not None and not self._step.cancelled():
            self._step.exception()  # asyncio complains of one that was never retrieved
        close = getattr(self._iterator, "close", None)
        if close is not None:
            await to_its_end(self._workers.run(close))


def thread_iterators(answer: object, workers: Workers) -> None:
    """Run the plain (not async) iterators of a response in our threads."""
    holder: Any = answer
    for name in BODY_ITERATORS:
        inside: Any = getattr(holder, name, None)
        if inside.__class__ is AsyncIteratorWrapper:
            setattr(holder, name, _InThreads(inside.iterator, workers))
        holder = inside


async def close_iterators(answer: object) -> None:
    """Close the generators of a response, the outer one first. Generators that have ended are not affected.

    Raises:
        Exception: An exception of one of them during closing; the others are still closed.
    """
    holder, raised = answer, None
    for name in BODY_ITERATORS:
        holder = getattr(holder, name, None)
        for closing in (holder, getattr(holder, "generator", None)):
            aclose = getattr(closing, "aclose", None)
            if aclose is not None:
                try:
                    await aclose()
                except Exception as error:
                    raised = raised or error
    if raised is not None:
        raise raised
