"""`Delivery`: how each message reaches its handler, on every transport. Read this first.

It creates the context with the deadline and calls the interceptors, outermost first. `dispatch` decodes, injects, calls
and encodes. A failure becomes the error that is sent to the sender. Every part that serves handlers creates one
delivery for each of its handlers, when it starts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from functools import partial
from types import MethodType
from typing import Generic, TypeVar, cast

import msgspec

from daebus.core.context import Context, Fenced, RawHeaders, Source, current_context
from daebus.core.deadlines import in_time
from daebus.core.stopping import Stopping
from daebus.errors import ServiceError
from daebus.telemetry.logs import Logger

from .after_commit import discard
from .dispatch import Handling, dispatch, dispatch_stream, misraised
from .endpoint import Endpoint, Incoming
from .failures import failure
from .grace import tell_overdue
from .interceptors import Handle, StreamHandle

__all__ = ["Delivery", "Outcome"]

R = TypeVar("R")

_NO_KEYWORDS: Mapping[str, object] = {}  # unpacking a MappingProxyType takes an eighth of a delivery


class Outcome(msgspec.Struct, Generic[R], frozen=True):
    """The outcome of a message.

    Attributes:
        reply: The encoded result of the handler; None if it has failed.
        problem: The error for the sender if the handler has failed; None: it has succeeded.
        error: The exception that was raised; the problem itself if the handler has raised an error for the sender.
    """

    reply: R | None = None
    problem: ServiceError | None = None
    error: Exception | None = None

    @property
    def is_logged(self) -> bool:
        """Whether the cause of the problem was logged, as the handler has failed unexpectedly."""
        return self.problem is not self.error


class Delivery(Generic[R]):
    """The delivery of messages to one handler.

    Args:
        endpoint: The handler.
        service: The name of the service.
        stopping: Whether the service is stopping.
        logger: For what fails unexpectedly.
        source: Where its messages come from; None: nobody sends them.

    Attributes:
        endpoint: The handler.
        title: Its title in logs: ``action get_user``.
        handle: Passes a message to the handler and returns the encoded reply. Exceptions of the handler are not caught;
            raises `Timeout` if the handler exceeds its time.
        stream: Passes a message to an async generator and yields each encoded item.
    """

    __slots__ = (
        *("_logger", "_service", "_source", "_stopping", "_timeout", "_unlimited"),
        *("endpoint", "handle", "stream", "title"),
    )

    def __init__(
        self,
        endpoint: Endpoint[R],
        service: str,
        stopping: Stopping,
        logger: Logger,
        source: Source | None = None,
    ) -> None:
        self.endpoint: Endpoint[R] = endpoint
        self.title: str = endpoint.title
        self._service = service
        self._source: Source | None = source
        self._stopping = stopping
        self._logger = logger
        self._timeout = endpoint.timeout
        self._unlimited: Handle[R] = _observed(endpoint, _handle(endpoint), logger)
        self.handle: Handle[R] = self._unlimited if self._timeout is None else self._limited(self._timeout)
        self.stream: StreamHandle[R] = _stream(endpoint)

    def incoming(
        self,
        request_id: str,
        body: bytes | msgspec.Raw | None = None,
        part: object = None,
        deadline: float | None = None,
        headers: RawHeaders = None,
        fenced: Fenced | None = None,
        event_id: str | None = None,
        keywords: Mapping[str, object] = _NO_KEYWORDS,
    ) -> Incoming:
        """A message for the handler.

        Args:
            request_id: The id that follows the work through every service.
            body: The payload as JSON; None if the transport has decoded it, or if there is none.
            part: Another object that the transport passes by type.
            deadline: When the caller stops waiting, in seconds of `time.monotonic`; None: never. The handler may have
                less time than that.
            headers: The headers of the transport; None: there are none.
            fenced: Has the fence of this delivery; None: it has none.
            event_id: The id of an event of a durable channel.
            keywords: Arguments that the transport has decoded.
        """
        if self._timeout is not None:
            end = time.monotonic() + self._timeout
            deadline = end if deadline is None else min(deadline, end)
        service, title, source, stopping = self._service, self.title, self._source, self._stopping
        context = Context(request_id, service, title, source, deadline, stopping, event_id, headers, fenced, part)
        return Incoming(context, body, part, keywords)

    async def deliver(self, incoming: Incoming, logger: Logger | None = None) -> Outcome[R]:
        """Pass a message to the handler; an exception becomes part of the outcome.

        Args:
            incoming: The message.
            logger: Logs unexpected failures; default: the logger of the delivery.
        """
        try:
            return Outcome(await self.handle(incoming))
        except Exception as error:
            return Outcome(None, self.problem(error, incoming, logger), error)

    async def answer(self, incoming: Incoming) -> R:
        """Like `handle`, but raises the error for the sender: a `ServiceError`."""
        try:
            return await self.handle(incoming)
        except Exception as error:
            raise self.problem(error, incoming) from error

    def problem(self, error: Exception, incoming: Incoming, logger: Logger | None = None) -> ServiceError:
        """The error for the sender if the handling of its message has raised `error`; see `failure`."""
        problem = failure(error, self.endpoint, incoming, logger or self._logger)
        self.endpoint.statistics.fail(problem.code, problem.message, incoming.context.request_id)
        return problem

    def seconds_for(self, waiting: float | None) -> float | None:
        """How long the handler may take for a sender that waits for some seconds; None: without limit."""
        own = self._timeout
        return own if waiting is None else waiting if own is None else min(own, waiting)

    def waited_for(self, waiting: float) -> Handle[R]:
        """Like `handle`, for a sender that waits for some seconds: the handler may not take longer than that."""
        seconds = self.seconds_for(waiting)
        return self.handle if seconds is None or seconds == self._timeout else self._limited(seconds)

    def _limited(self, seconds: float) -> Handle[R]:
        def limited(incoming: Incoming) -> Awaitable[R]:
            overdue = partial(tell_overdue, asyncio.current_task(), self._logger)
            return in_time(self._unlimited, incoming, self.title, seconds, overdue=overdue)

        return limited


def _handle(endpoint: Endpoint[R]) -> Handle[R]:
    inner = cast("Handle[R]", MethodType(dispatch, endpoint))  # a call of a partial takes longer
    outer = endpoint.interceptors.around(endpoint, inner)
    return inner if outer is inner else _guarded(endpoint, outer)


def _observed(endpoint: Endpoint[R], handle: Handle[R], logger: Logger) -> Handle[R]:
    observers = endpoint.interceptors.observing(endpoint)
    if not observers or endpoint.signature.streams:
        return handle

    async def observed(incoming: Incoming) -> R:
        begun, failed = time.perf_counter(), None
        reply: R | None = None
        try:
            reply = await handle(incoming)
            return reply  # noqa: TRY300  # an `else` would run before `finally`, not in its place
        except BaseException as error:
            failed = error
            raise
        finally:
            seconds = time.perf_counter() - begun
            for observe in observers:
                try:
                    observe(incoming, reply, failed, seconds)
                except Exception:  # the message has ended, and its sender is told how
                    logger.exception("observer failed", handler=endpoint.title)

    return observed


def _guarded(endpoint: Endpoint[R], outer: Handle[R]) -> Handle[R]:
    async def handle(incoming: Incoming) -> R:
        token = current_context.set(incoming.context)  # as `Handling`, which takes longer for each message
        try:
            return await outer(incoming)
        except BaseException as error:
            discard(incoming.context)
            if (wrong := misraised(endpoint, error)) is not None:
                raise wrong from error
            raise
        finally:
            current_context.reset(token)

    return handle


def _stream(endpoint: Endpoint[R]) -> StreamHandle[R]:
    inner = cast("StreamHandle[R]", MethodType(dispatch_stream, endpoint))
    outer = endpoint.interceptors.around_stream(endpoint, inner)
    if outer is inner:
        return inner

    async def stream(incoming: Incoming) -> AsyncGenerator[R]:
        with Handling(endpoint, incoming.context):
            async with aclosing(outer(incoming)) as items:
                async for item in items:
                    yield item

    return stream
