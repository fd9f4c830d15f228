"""Replies on the caller's side: one channel for each process, matched by request id."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Reply as ServerReply
from daebus.core.deadlines import Deadlines
from daebus.errors import Unavailable
from daebus.payloads.codec import UNDECODABLE
from daebus.protocol.messages import Reply, reply_channel
from daebus.protocol.replies import ALIVE, Waiting

__all__ = ["Conversation", "Inbox", "Question"]

_SILENCE_SECONDS = 20.0
_MOST_UNREAD, _MOST_UNREAD_SIZE = 10_000, 67_108_864

_log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(Reply).decode


class Question(msgspec.Struct, eq=False):
    """Waits for one reply.

    Attributes:
        deadline: When it stops waiting, in seconds of `time.monotonic`.
        replied: Completed with the reply, or with the error if none will come; `TimeoutError` at the deadline.
    """

    deadline: float
    replied: asyncio.Future[Reply]

    def receive(self, reply: Reply) -> None:
        """Take the reply."""
        if not self.replied.done():
            self.replied.set_result(reply)

    def sent(self, answer: ServerReply) -> None:
        """Take the server's answer to the request."""
        if isinstance(answer, Exception) and not self.replied.done():
            self.replied.set_exception(answer)

    def expire(self) -> None:
        """Stop waiting."""
        if not self.replied.done():
            self.replied.set_exception(TimeoutError())


class Conversation:
    """Waits for many replies.

    Args:
        title: The request that they belong to, for errors.
        ends: When all of them must have arrived, in seconds of `time.monotonic`.
    """

    def __init__(self, title: str, ends: float) -> None:
        self._title = title
        self._ends = ends
        self._heard = time.monotonic()
        self._replies: deque[Reply] = deque()
        self._size = 0  # of their payloads
        self._taken = 0
        self._failed: Exception | None = None
        self._wake: asyncio.Future[None] | None = None

    @property
    def deadline(self) -> float:
        """When it ends, or has been silent for too long."""
        return min(self._ends, self._heard + _SILENCE_SECONDS)

    def receive(self, reply: Reply) -> None:
        """Take a reply."""
        self._heard = time.monotonic()
        if reply.status == ALIVE or self._failed is not None:
            return
        if reply.number is not msgspec.UNSET:
            self._taken += 1
            if reply.number != self._taken:
                self._fail(self._interrupted(reply.number))
                return
        if len(self._replies) < _MOST_UNREAD and self._size < _MOST_UNREAD_SIZE:
            self._replies.append(reply)
            self._size += memoryview(reply.payload).nbytes
            self._go_on()
        else:
            self._fail(Unavailable(f"The stream of {self._title} sent more items than were requested"))

    def sent(self, answer: ServerReply) -> None:
        """Take the server's answer to the request."""
        if isinstance(answer, Exception):
            self._fail(answer)

    def expire(self) -> None:
        """Stop waiting."""
        late = time.monotonic() >= self._ends
        silent = f"{self._title} sent nothing for {_SILENCE_SECONDS:g} s: the instance that handled it may have died"
        self._fail(TimeoutError() if late else Unavailable(silent))

    async def next(self) -> Reply:
        """The next reply. Raises `TimeoutError` when the time is up, `Unavailable` if not even a keep-alive arrives."""
        while not self._replies:
            if self._failed is not None:
                raise self._failed
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        reply = self._replies.popleft()
        self._size -= memoryview(reply.payload).nbytes
        return reply

    def _interrupted(self, number: int) -> Unavailable:
        """The error for an item with a number that is not the next one."""
        if number < self._taken:
            again = "began again on another instance, as the first one died or was cut off"
            return Unavailable(f"The stream of {self._title} {again}: earlier items are not repeated. Call it again.")
        return Unavailable(f"The stream of {self._title} lost an item on its way. Call it again.")

    def _fail(self, error: Exception) -> None:
        self._failed = error
        self._go_on()

    def _go_on(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Inbox:
    """The replies to this process.

    Attributes:
        channel: The channel on which they arrive.
        waiting: The waiting callers, by the id of the request. Other replies are dropped.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.channel: str = reply_channel(node.id)
        self.waiting: Deadlines[str, Waiting] = Deadlines()
        self._subscribing: asyncio.Task[None] | None = None
        self._subscribed = False

    @property
    def is_ready(self) -> bool:
        """Whether replies can arrive."""
        return self._subscribed and self._node.subscriber.hears(self.channel)

    async def ready(self) -> None:
        """Subscribe, once; later calls return at once. Raises `Unavailable` if replies cannot arrive now."""
        if self._subscribing is None or self._subscribing.done():
            self._subscribing = asyncio.create_task(self._subscribe())
        await asyncio.shield(self._subscribing)
        if not self.is_ready:
            raise Unavailable("The connection for replies is broken, and is being restored")

    async def _subscribe(self) -> None:
        if not self._subscribed:
            await self._node.subscriber.subscribe(self.channel, self.receive)
            self._subscribed = True

    def receive(self, message: bytes) -> None:
        """Take a message from a channel for replies."""
        try:
            reply = _decode(message)
        except UNDECODABLE as error:
            _log.debug("A message on %s is not a reply: %s", self.channel, error)
            return
        waiting = self.waiting.get(reply.request_id)
        if waiting is not None:
            waiting.receive(reply)
