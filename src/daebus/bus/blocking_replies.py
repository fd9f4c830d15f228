"""The replies of a stream, and the events of a channel, as blocking code takes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, TypeVar, cast

from daebus.core.affinity import ThreadOnly
from daebus.core.loop_thread import LoopThread
from daebus.declare.contracts import Channel
from daebus.payloads.encodable import Encodable

if TYPE_CHECKING:
    from .bus import Bus
    from .following import Followed

__all__ = ["BlockingFollowing", "BlockingReplies"]

Event = TypeVar("Event", bound=Encodable)


class BlockingReplies:
    """An async generator that is iterated from another thread. Each step runs in a task that ends with the step.

    Attributes:
        end: What `next` returns after the last reply.
    """

    def __init__(self, replies: AsyncGenerator[object]) -> None:
        self._replies = replies
        self.end: object = object()

    async def next(self) -> object:
        """The next reply."""
        return await anext(self._replies, self.end)

    async def close(self) -> None:
        """End the stream early."""
        await self._replies.aclose()


class BlockingFollowing(ThreadOnly):
    """A blocking bus on which durable channels can be followed."""

    _bus: Bus
    _loop: LoopThread

    def follow(self, channel: Channel[Event], *, after: str | None = None) -> Generator[Followed[Event]]:
        """Iterate over the events of a durable channel, in order, each once, without being a listener.

        The iteration waits for further events; it ends when the service stops. While the server is away, it waits, too.
        An event that is not of the type of the contract is logged and left out. How long events are kept for those who
        come back says ``Channel(..., keep=...)``.

        Args:
            channel: A contract, with ``durable=True``.
            after: The id of the last event that is known: the iteration goes on after it. Empty: it begins with the
                oldest event that is kept. None: with the next one that is published.

        Raises:
            ConfigurationError: The channel is not durable.
            BadRequest: `after` is not the id of an event.
            Gone: Events after that position are no longer kept.
        """
        events = BlockingReplies(self._bus.follow(channel, after=after))
        try:
            while True:
                event = self._loop.wait_for(events.next())
                if event is events.end:
                    return
                yield cast("Followed[Event]", event)
        finally:
            if self._loop.is_here:
                self._loop.wait_for(events.close())
