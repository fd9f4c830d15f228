"""The call of a handler with a message: decode, inject, call, encode. `Delivery` calls it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext
from types import TracebackType
from typing import TypeVar, cast

from daebus.core.cancelling import EXITS, is_cancelled
from daebus.core.context import Context, current_context
from daebus.telemetry.statistics import UNSORTED

from .after_commit import discard, pending
from .endpoint import Endpoint, Incoming
from .workers import to_its_end

__all__ = ["Handling", "dispatch", "dispatch_stream", "misraised"]

R = TypeVar("R")


async def dispatch(endpoint: Endpoint[R], incoming: Incoming) -> R:
    """Pass a message to its handler and return the encoded reply.

    The handler's exceptions are not caught. An exception that would end the process, or a cancellation without a
    cancelled task, becomes a `RuntimeError`. Events that the handler has published with ``after="commit"`` are sent
    before the reply.
    """
    token = current_context.set(incoming.context)
    statistics, begun = endpoint.statistics, time.perf_counter()
    statistics.begun += 1
    if not statistics.begun & UNSORTED:
        statistics.sort()
    try:
        arguments = endpoint.take(incoming)
        if not endpoint.signature.is_async:
            reply = await _dispatch_to_thread(endpoint, incoming, arguments)
        elif (handling := endpoint.call_directly(*arguments, **incoming.keywords)) is not None:
            reply = endpoint.encode(await handling)
        else:
            async with endpoint.injection.opened() or nullcontext():
                reply = endpoint.encode(await endpoint.call(*arguments, **incoming.keywords))
        if (after := pending(incoming.context)) is not None:
            await after.release()
        return reply  # noqa: TRY300  # an `else` would run after the context is gone
    except BaseException as error:
        discard(incoming.context)
        if (wrong := misraised(endpoint, error)) is not None:
            raise wrong from error
        raise
    finally:
        current_context.reset(token)
        statistics.ended.append(time.perf_counter() - begun)  # `Statistics.begin` and `end`, without their calls


def misraised(endpoint: Endpoint[object], error: BaseException) -> RuntimeError | None:
    """The failure if a handler has raised an exception that handlers must not raise; None: it has not."""
    if isinstance(error, EXITS) or (isinstance(error, asyncio.CancelledError) and not is_cancelled()):
        return _failed(endpoint, error)
    return None


def _failed(endpoint: Endpoint[object], error: BaseException) -> RuntimeError:
    return RuntimeError(f"{endpoint.title} raised {type(error).__name__}")


async def _dispatch_to_thread(endpoint: Endpoint[R], incoming: Incoming, arguments: Sequence[object]) -> R:
    def handle() -> R:
        try:
            return endpoint.encode(endpoint.call(*arguments, **incoming.keywords))
        except (StopIteration, *EXITS) as error:
            # A future cannot carry the first: whoever awaits the thread would wait for ever. Nor a task the others.
            raise _failed(endpoint, error) from error

    opened = endpoint.injection.opened(in_thread=True)
    if opened is None:
        return await endpoint.workers.run(handle)
    async with opened as scope:
        work = endpoint.workers.run(lambda: scope.call(handle))
        return await (to_its_end(work) if scope.holds else work)


async def dispatch_stream(endpoint: Endpoint[R], incoming: Incoming) -> AsyncGenerator[R]:
    """Pass a message to a handler that is an async generator, and yield each encoded item."""
    statistics = endpoint.statistics
    begun = statistics.begin()
    try:
        with Handling(endpoint, incoming.context):
            arguments = endpoint.take(incoming)
            call = cast("Callable[..., AsyncGenerator[object]]", endpoint.call)
            async with (
                endpoint.injection.opened() or nullcontext(),
                aclosing(call(*arguments, **incoming.keywords)) as items,
            ):
                async for item in items:
                    yield endpoint.encode(item)
            if (after := pending(incoming.context)) is not None:
                await after.release()
    finally:
        statistics.end(begun)


class Handling:
    """The time in which a message is handled: its context is the current one, and exceptions are as `dispatch` says.

    `dispatch` does the same itself, without a further call for each message.

    Args:
        endpoint: The handler.
        context: The context of the message.
    """

    __slots__ = ("_context", "_endpoint", "_token")

    def __init__(self, endpoint: Endpoint[object], context: Context) -> None:
        self._endpoint = endpoint
        self._context = context

    def __enter__(self) -> None:
        self._token = current_context.set(self._context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                discard(self._context)
                if (wrong := misraised(self._endpoint, error)) is not None:
                    raise wrong from error
        finally:
            current_context.reset(self._token)
