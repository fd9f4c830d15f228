"""The replies of a stream, as blocking code takes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

__all__ = ["BlockingReplies"]


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
