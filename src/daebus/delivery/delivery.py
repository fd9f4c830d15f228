"""`Delivery`: how each message reaches its handler, whatever transport has brought it. Read this first.

The context is made, with the deadline; the interceptors are called, outermost first; `dispatch` decodes, injects, calls
and encodes; what fails becomes the error that the sender is told. Every house that serves handlers makes one delivery
for each of its handlers, when it starts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

import msgspec

from daebus.core.context import Context, RawHeaders, current_context
from daebus.core.stopping import Stopping
from daebus.errors import ServiceError, Timeout
from daebus.telemetry.logs import Logger

from .after_commit import discard
from .dispatch import dispatch, dispatch_stream, misraised
from .endpoint import Endpoint, Incoming
from .failures import failure
from .interceptors import Handle, StreamHandle

__all__ = ["Delivery", "Outcome"]

R = TypeVar("R")

_NO_KEYWORDS: Mapping[str, object] = MappingProxyType({})


class Outcome(msgspec.Struct, Generic[R], frozen=True):
    """What became of a message.

    Attributes:
        reply: What the handler has returned, encoded; None where it has failed.
        problem: What the sender is told where it has failed; None: it has succeeded.
        error: What was raised; the problem itself where the handler has raised what its sender is to be told.
    """

    reply: R | None = None
    problem: ServiceError | None = None
    error: Exception | None = None

    @property
    def is_logged(self) -> bool:
        """Whether the log has the cause of the problem: the handler has failed unexpectedly."""
        return self.problem is not self.error


class Delivery(Generic[R]):
    """The delivery of messages to one handler.

    Args:
        endpoint: The handler.
        service: The name of the service.
        stopping: Whether the service stops.
        logger: For what fails unexpectedly.

    Attributes:
        endpoint: The handler.
        title: What it is, for logs: ``action get_user``.
        handle: Hands a message to the handler, and returns the encoded reply. What the handler raises passes through;
            `Timeout` where it takes longer than it may.
        stream: As `handle`, for an async generator: yields each encoded item.
    """

    __slots__ = ("_logger", "_service", "_stopping", "_timeout", "endpoint", "handle", "stream", "title")

    def __init__(self, endpoint: Endpoint[R], service: str, stopping: Stopping, logger: Logger) -> None:
        self.endpoint: Endpoint[R] = endpoint
        self.title: str = endpoint.title
        self._service = service
        self._stopping = stopping
        self._logger = logger
        self._timeout = endpoint.timeout
        self.handle: Handle[R] = _handle(endpoint)
        self.stream: StreamHandle[R] = _stream(endpoint)

    def incoming(
        self,
        request_id: str,
        body: bytes | msgspec.Raw | None = None,
        part: object = None,
        *,
        keywords: Mapping[str, object] = _NO_KEYWORDS,
        deadline: float | None = None,
        event_id: str | None = None,
        headers: RawHeaders = None,
    ) -> Incoming:
        """A message for the handler.

        Args:
            request_id: Follows the work through every service.
            body: The payload, still JSON; None where the transport has decoded it, or there is none.
            part: What else the transport hands over by type.
            keywords: Arguments that the transport has decoded.
            deadline: When the caller stops waiting, in seconds of `time.monotonic`; None: never. The handler may have
                less time than that.
            event_id: Of an event of a durable channel.
            headers: As the transport has them; None: none.
        """
        if self._timeout is not None:
            end = time.monotonic() + self._timeout
            deadline = end if deadline is None else min(deadline, end)
        context = Context(
            request_id=request_id,
            service=self._service,
            handler=self.title,
            deadline=deadline,
            stopping=self._stopping,
            event_id=event_id,
            _headers=headers,
        )
        return Incoming(context, body, part, keywords)

    async def deliver(self, incoming: Incoming, logger: Logger | None = None) -> Outcome[R]:
        """Hand a message to the handler; what it raises is part of the outcome.

        Args:
            incoming: The message.
            logger: For what fails unexpectedly; default: that of the delivery.
        """
        try:
            return Outcome(await self.handle(incoming))
        except Exception as error:
            return Outcome(None, self.problem(error, incoming, logger), error)

    def problem(self, error: Exception, incoming: Incoming, logger: Logger | None = None) -> ServiceError:
        """What the sender of a message is told where its handling has raised `error`; see `failure`."""
        return failure(error, self.endpoint, incoming, logger or self._logger)


def _handle(endpoint: Endpoint[R]) -> Handle[R]:
    inner: Handle[R] = partial(dispatch, endpoint)
    if endpoint.timeout is not None:
        inner = _limited(inner, endpoint.title, endpoint.timeout)
    outer = endpoint.interceptors.around(endpoint, inner)
    if outer is inner:
        return inner

    async def handle(incoming: Incoming) -> R:
        token = current_context.set(incoming.context)
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


def _limited(handle: Handle[R], title: str, seconds: float) -> Handle[R]:
    async def limited(incoming: Incoming) -> R:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await handle(incoming)
        except TimeoutError:
            if limit.expired():
                raise Timeout(f"{title} did not finish in {seconds:g} s") from None
            raise

    return limited


def _stream(endpoint: Endpoint[R]) -> StreamHandle[R]:
    inner: StreamHandle[R] = partial(dispatch_stream, endpoint)
    outer = endpoint.interceptors.around_stream(endpoint, inner)
    if outer is inner:
        return inner

    async def stream(incoming: Incoming) -> AsyncGenerator[R]:
        token = current_context.set(incoming.context)
        try:
            async with aclosing(outer(incoming)) as items:
                async for item in items:
                    yield item
        except BaseException as error:
            discard(incoming.context)
            if (wrong := misraised(endpoint, error)) is not None:
                raise wrong from error
            raise
        finally:
            current_context.reset(token)

    return stream
