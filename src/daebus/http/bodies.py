"""Responses that are not complete when their handler returns: streams, files, ASGI apps, background tasks.

Until the body is sent, the handler's per-message objects stay open, and the body is made as part of its message. The
end of the body is sent after all of them have been closed: a client that receives it knows that nothing has failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from daebus.core.cancelling import is_cancelled, without_exit
from daebus.core.context import Context, current_context
from daebus.delivery.after_commit import discard, hold, pending
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.scopes import OpenScope, keep_open
from daebus.telemetry.logs import Logger

from .channel import Channel
from .iterators import close_iterators, thread_iterators

__all__ = ["EVENT_STREAM_SECONDS", "Body", "Unfinished"]

EVENT_STREAM_SECONDS = 3.0
"""Seconds for which an event stream may continue when the service stops. It would not end by itself."""


class Unfinished:
    """A handler's result that is not encoded yet; created when the handler has returned.

    Args:
        result: What it has returned.

    Attributes:
        result: Likewise.
        context: The message.
        objects: The per-message objects, kept open; None: there are none.
    """

    __slots__ = ("context", "objects", "result")

    def __init__(self, result: object) -> None:
        self.result: object = result
        self.context: Context = cast("Context", current_context.get())
        self.objects: OpenScope | None = keep_open()
        hold(self.context)


class Body:
    """A response that is being sent, with the open objects of its handler.

    Args:
        unfinished: The handler's result.
        endpoint: The handler.
        logger: Logs failures after the response has begun.

    Attributes:
        endpoint: The handler.
    """

    def __init__(self, unfinished: Unfinished, endpoint: Endpoint[object], logger: Logger) -> None:
        self._result = unfinished.result
        self._context = unfinished.context
        self._objects = unfinished.objects
        self.endpoint: Endpoint[object] = endpoint
        self._logger = logger
        self._answer: Any = None
        self._is_over = False
        self._task: asyncio.Task[Any] | None = None  # the sending task, which may be cancelled
        self._is_stopped = False

    async def prepare(self, make: Callable[[object], Awaitable[ASGIApp]]) -> ASGIApp:
        """The ASGI app of the response. If it has the complete body, the per-message objects are closed first.

        Args:
            make: Litestar's conversion of a handler's result to an ASGI app.
        """
        with self._inside():
            try:
                self._answer = await make(self._result)
                if _is_complete(self._answer):
                    await self._succeed()
            except BaseException as error:
                failed = await self._fail(error)
                if failed is error:
                    raise
                raise failed  # noqa: B904  # it is told of `error` as its context
        return self._answer if self._is_over and self._answer.background is None else self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; raises only if nothing was sent yet, or if the task was cancelled."""
        answer = self._answer
        background = getattr(answer, "background", None)
        with self._inside():
            if self._is_over:
                answer.background = None
                await answer(scope, receive, send)
            else:
                if background is not None:
                    answer.background = None
                channel = Channel(cast("HTTPScope", scope), receive, send)
                try:
                    await self._send(scope, channel)
                finally:
                    await channel.close()
            if background is not None:
                await self._run(background)

    async def abandon(self) -> None:
        """Close the open objects if the response was never sent."""
        if not self._is_over:
            with self._inside():
                await self._fail(asyncio.CancelledError("the answer was not sent"))

    async def _send(self, scope: Scope, channel: Channel) -> None:
        failed = await self._stream(scope, channel)
        if failed is None:
            try:
                await self._succeed()
            except BaseException as error:
                failed = error
        if failed is None:
            await channel.finish()
            return
        failed = await self._fail(failed)
        if isinstance(failed, asyncio.CancelledError) and not is_cancelled():
            # The client has gone, or the service stops. The client of an event stream comes back; any other one is to
            # see that the body is not all there.
            await channel.finish(cleanly=self._is_stopped and channel.is_event_stream)
        elif isinstance(failed, Exception) and channel.has_begun:
            self._tell("response body failed", failed)
        else:
            raise failed

    async def _stream(self, scope: Scope, channel: Channel) -> BaseException | None:
        """Send the body; returns the failure, if there is one."""
        failed: BaseException | None = None
        thread_iterators(self._answer, self.endpoint.workers)
        self._task = asyncio.current_task()
        stopping = self._context.stopping
        stop = _Stop(self._stop, channel)
        stopping.call_when_set(stop)
        try:
            await self._answer(scope, channel.receive, channel.send)
            if not channel.has_ended or await channel.has_lost_client():
                failed = asyncio.CancelledError("the client is gone")
        except BaseException as error:
            failed = without_exit(self.endpoint.title, _cause(error))
        finally:
            stopping.forget(stop)
            stop.cancel()
            self._task = None
        if self._is_stopped and isinstance(failed, asyncio.CancelledError):
            cast("asyncio.Task[Any]", asyncio.current_task()).uncancel()
        try:
            await close_iterators(self._answer)
        except Exception as error:
            failed = failed if isinstance(failed, Exception) else error
        return failed

    def _stop(self) -> None:
        """End the stream because the service stops."""
        if self._task is not None:
            self._is_stopped = True
            self._task.cancel()

    async def _succeed(self) -> None:
        self._is_over = True
        if self._objects is not None:
            await self._objects.leave(None, self.endpoint.workers)
        after = pending(self._context)
        if after is not None:
            after.is_held = False
            await after.release()

    async def _fail(self, error: BaseException) -> BaseException:
        """Close the open objects after a failure; returns the final failure."""
        discard(self._context)
        if not self._is_over:
            self._is_over = True
            if self._objects is not None:
                try:
                    await self._objects.leave(error, self.endpoint.workers)
                except BaseException as other:
                    return other
        return error

    async def _run(self, background: Callable[[], Awaitable[object]]) -> None:
        try:
            await background()
        except Exception as error:
            self._tell("background task of a response failed", error)

    def _tell(self, event: str, error: BaseException) -> None:
        self._logger.error(
            event,
            handler=self.endpoint.title,
            where=self.endpoint.signature.where,
            request_id=self._context.request_id,
            exc_info=error,
        )

    @contextmanager
    def _inside(self) -> Generator[None]:
        """A context in which code runs as part of the message."""
        token = current_context.set(self._context)
        try:
            with ExitStack() as stack:
                if self._objects is not None:
                    stack.enter_context(self._objects.entered())
                yield
        finally:
            current_context.reset(token)


class _Stop:
    """Ends an event stream a limited time after the service has begun to stop."""

    __slots__ = ("_channel", "_stop", "_timer")

    def __init__(self, stop: Callable[[], None], channel: Channel) -> None:
        self._stop = stop
        self._channel = channel
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVENT_STREAM_SECONDS, self._end)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        if self._channel.is_event_stream:
            self._stop()


def _is_complete(answer: object) -> bool:
    """Whether an ASGI app of Litestar has the complete body and only sends it."""
    kind = type(answer)
    return isinstance(answer, ASGIResponse) and all(
        getattr(kind, name) is getattr(ASGIResponse, name) for name in ("__call__", "start_response", "send_body")
    )


def _cause(error: BaseException) -> BaseException:
    """The failure inside a task group with one task, in which Litestar streams."""
    found = error
    while isinstance(found, BaseExceptionGroup):
        causes = cast("BaseExceptionGroup[BaseException]", found).exceptions
        if len(causes) != 1:
            return error
        found = causes[0]
    return found
