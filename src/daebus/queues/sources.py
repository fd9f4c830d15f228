"""Sources: the connections over which a reader asks for the entries of its streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, cast

from daebus.connection.blocking_link import BlockingLink
from daebus.connection.node import Node

__all__ = ["BLOCK_SECONDS", "Batch", "OwnConnection", "Source"]

BLOCK_SECONDS = 5.0
"""How long a read may block on the server."""

_BLOCK_MS = int(BLOCK_SECONDS * 1000)
_PATIENCE = 5.0

Batch: TypeAlias = list[tuple[bytes, list[tuple[bytes, list[bytes] | None]]]]
"""New entries by stream: the id of each, and its names and values in turn, or None if it was deleted."""


class Source(Protocol):
    """Where a reader gets new entries from. It reads once at a time."""

    async def read(self, group: str, consumer: str, count: int, keys: Sequence[str]) -> Batch:
        """Wait for new entries, and deliver them to a consumer.

        Args:
            group: The consumer group, on each of the streams.
            consumer: The consumer.
            count: The largest number of entries of each stream.
            keys: The streams.

        Returns:
            The entries; none after some seconds without any, and if it was interrupted.

        Raises:
            CommandError: The server refuses.
            Unavailable: The connection broke. Entries may have been delivered all the same.
        """
        ...

    async def interrupt(self) -> None:
        """Make a read that is waiting return."""
        ...

    async def close(self) -> None:
        """Close what belongs to this source alone."""
        ...


class OwnConnection:
    """A source with a connection of its own, on which reads block: an entry arrives without being asked for again.

    Args:
        node: This process.
        key: One of the streams; on a cluster, all are on its node.
    """

    def __init__(self, node: Node, key: str) -> None:
        self._node = node
        self._link = BlockingLink(node.server, key, BLOCK_SECONDS + _PATIENCE)
        node.when_doubtful(lambda: self._link.doubt(node.link.lost_at))

    async def read(self, group: str, consumer: str, count: int, keys: Sequence[str]) -> Batch:
        """Wait for new entries; see `Source.read`."""
        command = ("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "BLOCK", _BLOCK_MS, "STREAMS")
        return cast("Batch", await self._link.execute(*command, *keys, *[">"] * len(keys)) or [])

    async def interrupt(self) -> None:
        """Make a read that is waiting return."""
        await self._link.interrupt(self._node.link)

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()
