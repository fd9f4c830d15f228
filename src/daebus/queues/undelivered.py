"""Entries that the server delivered to this instance and that never arrived, because a connection broke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

from daebus.connection.node import Node
from daebus.connection.scripts import EVEN_WHEN_FULL, NOW, Script
from daebus.errors import Unavailable
from daebus.protocol.fences import DRAW

from .sources import BLOCK_SECONDS

__all__ = ["OWNED", "Owned", "Undelivered"]

_PAGE = 1000
_RETRY_SECONDS = 0.2

_LATE_READ = BLOCK_SECONDS + 2
"""Seconds after a connection broke at which a read that it left behind on the server has usually ended."""

Owned = tuple[bytes, list[bytes] | None, int, int]
"""An entry: id; names and values in turn, or None if deleted; the number of deliveries; that for the fence."""

# Returned without counting another delivery, as XREADGROUP would. The answer to a take-over may have been lost, so each
# entry gets a number for its fence. KEYS are the stream and the counter of the fences; ARGV are the group, the
# instance, the id to start from, and the number of entries.
OWNED = Script(
    EVEN_WHEN_FULL
    + NOW
    + DRAW
    + """
    local found, drawn = {}, nil
    for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], '+', ARGV[4], ARGV[2])) do
        local entry = redis.call('XRANGE', KEYS[1], p[1], p[1])[1]
        drawn = drawn or draw(KEYS[2])
        found[#found + 1] = {p[1], entry and entry[2] or false, p[4], drawn}
    end
    return found
    """
)


class Undelivered:
    """Tells when a reader must look for such entries, and finds them.

    It looks after a connection broke. The server may execute a read of that connection even later, after it was closed
    here. So it looks again when such a read has ended, and now and then.

    Args:
        node: This process.
        group: The consumer group.
        fences: The key of the counter of its fences.
    """

    def __init__(self, node: Node, group: str, fences: str) -> None:
        self._node = node
        self._fences = fences
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._recheck = node.timings.recheck
        self._is_broken = False
        self._due = self._loop.time() + self._recheck

    @property
    def is_due(self) -> bool:
        """Whether to look now."""
        return self._loop.time() >= self._due

    def broke(self) -> None:
        """A connection broke, or an answer was lost."""
        self._is_broken, self._due = True, 0.0

    def done(self) -> None:
        """All streams were looked at."""
        pause = min(_LATE_READ, self._recheck) if self._is_broken else self._recheck
        self._is_broken, self._due = False, self._loop.time() + pause

    async def pages(self, key: str) -> AsyncGenerator[list[Owned]]:
        """The entries of a stream that are pending for this instance, also those that it is handling."""
        start, more = b"-", True
        while more:
            page = await self._page(key, start)
            more = len(page) == _PAGE
            yield page
            start = b"(" + page[-1][0] if page else start

    async def _page(self, key: str, start: bytes) -> list[Owned]:
        arguments = (self._group, self._node.id, start, _PAGE)
        try:
            return cast("list[Owned]", await self._node.link.script(OWNED, [key, self._fences], arguments))
        except Unavailable:  # at once, while there is no connection
            await asyncio.sleep(_RETRY_SECONDS)
            raise
