"""The items of a stream on their way to the caller: never more than it accepts, and none once it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import msgspec

from daebus.connection.link import Link
from daebus.connection.resp import Reply as ServerReply
from daebus.core.deadlines import NEVER
from daebus.payloads.codec import encode
from daebus.protocol.messages import NOTHING, Reply, Request
from daebus.protocol.replies import ALIVE, SUCCESS

__all__ = ["Items", "ReaderGoneError"]

_ALIVE_SECONDS = 5.0
_WINDOW = 64
"""How many items may be in flight to the server."""


class ReaderGoneError(Exception):
    """The stream has no reader any more."""


class Items:
    """Sends the items of one stream, and keep-alives: ``async with Items(...) as items``.

    Args:
        link: The connection.
        request: The request for the stream.
        reply_to: The caller's reply channel.
        is_lost: Whether another instance has taken the request over: then there are no more keep-alives.

    Attributes:
        sent: How many items were sent.
    """

    def __init__(self, link: Link, request: Request, reply_to: str, is_lost: Callable[[], bool]) -> None:
        self._link = link
        self._is_lost = is_lost
        self._request_id = request.request_id
        self._reply_to = reply_to
        self._credit: float = NEVER if request.credit is None else request.credit
        self._credit_size: float = NEVER if request.credit_size is None else request.credit_size
        self._unanswered = 0
        self.sent: int = 0
        self._failed: Exception | None = None
        self._changed = asyncio.Event()
        self._alive: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._alive = asyncio.create_task(self._say_alive())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._alive is not None:
            self._alive.cancel()
            await asyncio.wait({self._alive})

    def grant(self, credit: int, size: int) -> None:
        """The caller accepts more items, of this many bytes."""
        self._credit += credit
        self._credit_size += size
        self._changed.set()

    async def send(self, item: bytes) -> None:
        """Send an item, once the caller accepts it.

        Raises:
            ReaderGoneError: An earlier item reached no reader.
            Unavailable: An earlier item was lost.
        """
        while self._failed is None and (min(self._credit, self._credit_size) <= 0 or self._unanswered >= _WINDOW):
            await self._change()
        if self._failed is not None:
            raise self._failed
        self._credit -= 1
        self._credit_size -= len(item)
        self.sent += 1
        self._publish(Reply(SUCCESS, msgspec.Raw(item), self._request_id, final=False, number=self.sent))

    async def flush(self) -> None:
        """Wait until the server has accepted all items. Raises the errors of `send`."""
        while self._failed is None and self._unanswered:
            await self._change()
        if self._failed is not None:
            raise self._failed

    def _publish(self, reply: Reply) -> None:
        self._unanswered += 1
        self._link.issue(("PUBLISH", self._reply_to, encode(reply)), self._answered)

    def _answered(self, reply: ServerReply) -> None:
        self._unanswered -= 1
        if isinstance(reply, Exception):
            self._failed = reply
        elif reply == 0:
            self._failed = ReaderGoneError()
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _say_alive(self) -> None:
        with suppress(asyncio.CancelledError):
            while not self._is_lost():
                await asyncio.sleep(_ALIVE_SECONDS)
                if not self._is_lost():
                    self._publish(Reply(ALIVE, NOTHING, self._request_id, final=False))
