"""The streams of WebSocket clients: each runs in a task of its own, while other messages of its client are handled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from operator import attrgetter

from daebus.core.deadlines import OVERDUE_SECONDS, in_time
from daebus.core.stopping import Stopping
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Incoming
from daebus.delivery.grace import tell_overdue
from daebus.errors import BadRequest, Conflict, ServiceError, TooManyRequests, Unavailable
from daebus.protocol.envelopes import CANCEL, CREDIT, Envelope
from daebus.protocol.replies import encode_failure, encode_item, encode_response
from daebus.telemetry.logs import Logger

from .clients import Client
from .replicas import ClientConnection

__all__ = ["Streams"]

_STOP_SECONDS = 3.0
"""How long a stream may take to end by itself when the service stops."""

_Delivery = Delivery[bytes | None]

_connection_of: Callable[[Client], ClientConnection] = attrgetter("_connection")


class Streams:
    """The streams of the clients of one service.

    Args:
        max_streams: How many streams a client may have open.
        stopping: Whether the service is stopping.
        logger: Logs handlers that do not end.
    """

    def __init__(self, max_streams: int, stopping: Stopping, logger: Logger) -> None:
        self._max_streams = max_streams
        self._stopping = stopping
        self._logger = logger
        self._open: dict[Client, dict[str | int, _Stream]] = {}

    def begin(self, client: Client, delivery: _Delivery, incoming: Incoming, asked: Envelope) -> None:
        """Begin a stream.

        Args:
            client: Its client.
            delivery: Calls the handler.
            incoming: The message for the handler.
            asked: The message as the client has sent it.

        Raises:
            BadRequest: The message has no id.
            Conflict: The client has an open stream with this id.
            TooManyRequests: It has as many streams as it may have.
        """
        if asked.id is None:
            raise BadRequest(f"A message of the type {asked.type!r} must have an id: its answer is a stream")
        opened = self._open.setdefault(client, {})
        if asked.id in opened:
            raise Conflict(f"A stream with the id {asked.id!r} is open")
        if len(opened) >= self._max_streams:
            raise TooManyRequests(f"The client has {self._max_streams} streams open, as many as it may have")
        stream = _Stream(_connection_of(client), asked.id, asked.credit)
        run = self._run(stream, delivery, incoming, delivery.seconds_for(asked.waiting))
        stream.task = asyncio.create_task(run, name=f"stream {asked.id} of {client.id}")
        opened[asked.id] = stream
        stream.task.add_done_callback(partial(self._ended, client, asked.id))

    def control(self, client: Client, message: Envelope) -> bool:
        """Handle a message about a stream; returns whether it is one. A stream that has ended is ignored.

        Raises:
            BadRequest: It has no id, or no credit.
        """
        if message.type not in (CANCEL, CREDIT):
            return False
        if message.id is None or (message.type == CREDIT and message.credit is None):
            needs = "an id and a credit" if message.type == CREDIT else "an id"
            raise BadRequest(f"A message of the type {message.type!r} must have {needs}")
        stream = self._open.get(client, {}).get(message.id)
        if stream is None:
            return True
        if message.credit is not None and message.type == CREDIT:
            stream.grant(message.credit)
        else:
            self._cancel([stream])
        return True

    async def end(self, client: Client) -> None:
        """End the streams of a client that has gone, or whose connection the stop of the service closes."""
        streams = list(self._open.get(client, {}).values())
        tasks = [stream.task for stream in streams if stream.task is not None]
        if not tasks:
            return
        if self._stopping.is_set():
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)
        self._cancel(streams)
        await asyncio.wait(tasks, timeout=OVERDUE_SECONDS)

    def _cancel(self, streams: Sequence[_Stream]) -> None:
        for stream in streams:
            if stream.task is not None and stream.task.cancel():
                asyncio.get_running_loop().call_later(OVERDUE_SECONDS, tell_overdue, stream.task, self._logger)

    def _ended(self, client: Client, stream_id: str | int, _: object) -> None:
        opened = self._open[client]
        del opened[stream_id]
        if not opened:
            del self._open[client]

    async def _run(self, stream: _Stream, delivery: _Delivery, incoming: Incoming, seconds: float | None) -> None:
        try:
            if seconds is None:
                await stream.send_all(delivery.stream(incoming))
            else:
                overdue = partial(tell_overdue, asyncio.current_task(), self._logger)
                await in_time(stream.send_all, delivery.stream(incoming), delivery.title, seconds, overdue=overdue)
        except Exception as error:
            await stream.fail(delivery.problem(error, incoming))
        else:
            # Nobody knows whether a stream that ends because the service stops is at its end.
            await (stream.fail(Unavailable("The service is stopping.")) if self._stopping.is_set() else stream.finish())


class _Stream:
    """One stream.

    Attributes:
        task: Runs its handler.
    """

    def __init__(self, connection: ClientConnection, stream_id: str | int, credit: int | None) -> None:
        self.task: asyncio.Task[None] | None = None
        self._connection = connection
        self._id = stream_id
        self._credit = credit
        self._granted = asyncio.Event()

    def grant(self, credit: int) -> None:
        """Send that many more items, if the number of items is limited."""
        if self._credit is not None:
            self._credit += credit
            self._granted.set()

    async def send_all(self, made: AsyncGenerator[bytes | None]) -> None:
        """Send all items, as fast as the client takes them, and as far as it has granted them."""
        async with aclosing(made) as items:
            async for item in items:
                while self._credit == 0:
                    self._granted.clear()
                    await self._granted.wait()
                if self._credit is not None:
                    self._credit -= 1
                if not await self._connection.deliver(encode_item(item, self._id)):
                    return

    async def finish(self) -> None:
        """Tell the client that there are no more items."""
        await self._connection.deliver(encode_response(None, self._id))

    async def fail(self, error: ServiceError) -> None:
        """Tell the client the error."""
        await self._connection.deliver(encode_failure(error, self._id))
