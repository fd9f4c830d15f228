"""The responder: an instance answers questions about itself, for as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import TypeAlias

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import Internal, ServiceError, Unavailable
from daebus.payloads.codec import UNDECODABLE
from daebus.protocol.discovery import DISCOVERY_CHANNEL, Inquiry, decode_inquiry, discovery_channel
from daebus.protocol.replies import failed_reply, successful_reply
from daebus.telemetry.logs import Logger

__all__ = ["Answer", "Responder"]

Answer: TypeAlias = Callable[[Inquiry], Awaitable[bytes]]
"""The answer of an instance to a question, as JSON."""

_MOST_AT_ONCE = 64


class Responder:
    """Answers the questions on the two channels of discovery.

    Questions come from everybody who may publish on the server. Above 64 that are not answered yet, they are dropped.

    Args:
        node: This process.
        service: The name of the service.
        answer: Answers a question; a `ServiceError` that it raises is the answer.
        logger: For what fails unexpectedly.
    """

    def __init__(self, node: Node, service: str, answer: Answer, logger: Logger) -> None:
        self._node = node
        self._service = service
        self._answer = answer
        self._logger = logger
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to answer. Raises `Unavailable` if the server cannot be reached."""
        for channel in (DISCOVERY_CHANNEL, discovery_channel(self._service)):
            self._stack.push_async_callback(await self._node.subscriber.subscribe(channel, self._receive))

    async def stop(self) -> None:
        """Answer no more."""
        await self._stack.aclose()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _receive(self, body: bytes) -> None:
        try:
            inquiry = decode_inquiry(body)
        except UNDECODABLE as error:
            self._logger.debug("a question of discovery is not valid", reason=str(error))
            return
        if inquiry.instance in (None, self._node.id) and len(self._tasks) < _MOST_AT_ONCE:
            task = asyncio.create_task(self._reply(inquiry), name=f"discovery {inquiry.ask}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(self, inquiry: Inquiry) -> None:
        try:
            reply = successful_reply(await self._answer(inquiry), inquiry.request_id)
        except ServiceError as error:
            reply = failed_reply(error, inquiry.request_id)
        except Exception as error:
            self._logger.error("a question of discovery could not be answered", ask=inquiry.ask, exc_info=error)
            reply = failed_reply(Internal("The instance could not answer; its log has the cause"), inquiry.request_id)
        with suppress(Unavailable, CommandError):  # the one who asks does not wait for long
            await self._node.link.execute("PUBLISH", inquiry.reply_to, reply)
