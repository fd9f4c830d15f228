"""The interceptor that limits how many messages a door passes on at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.interceptors import Handle, Interceptors, StreamHandle

__all__ = ["Concurrency", "limited"]

R = TypeVar("R")


class Concurrency:
    """Lets messages wait until fewer than `most` of their door are handled."""

    def __init__(self, most: int) -> None:
        self._most = most

    def __call__(self, _: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        """Wrap the handling of messages with one reply."""
        turns = asyncio.Semaphore(self._most)

        async def handled(incoming: Incoming) -> R:
            async with turns:
                return await handle(incoming)

        return handled

    def stream(self, _: Endpoint[R], handle: StreamHandle[R], /) -> StreamHandle[R]:
        """Wrap the handling of messages with a stream of replies."""
        turns = asyncio.Semaphore(self._most)

        async def handled(incoming: Incoming) -> AsyncGenerator[R]:
            async with turns, aclosing(handle(incoming)) as items:
                async for item in items:
                    yield item

        return handled


def limited(interceptors: Interceptors, concurrency: int | None) -> Interceptors:
    """The interceptors of a door, inside of those of its action.

    Args:
        interceptors: Those of the action.
        concurrency: How many messages are handled at once; None: no limit.
    """
    if concurrency is None:
        return interceptors
    own = Concurrency(concurrency)
    return Interceptors((*interceptors.messages, own), (*interceptors.streams, own))
