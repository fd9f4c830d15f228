"""The registries of the instances that read the streams of a service, as one instance uses them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from daebus.connection.link import Link
from daebus.connection.node import Node
from daebus.connection.scripts import EVEN_WHEN_FULL, NOW, Script
from daebus.telemetry.logs import Logger

from .lease_scripts import BEAT, DEPART, IS_MINE

__all__ = ["News", "Registries"]

_SHARED_SECONDS = 5.0

# An instance that cannot start an entry leaves it to the others, as if another instance had read it and stopped. KEYS
# are the stream and the registry; ARGV are the group, the entry, the instance, its deliveries, and the other's id.
_GIVE_BACK = Script(
    EVEN_WHEN_FULL
    + NOW
    + IS_MINE
    + """
    if not is_mine(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]) then return 0 end
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[5], 0, ARGV[2], 'RETRYCOUNT', ARGV[4] - 1, 'JUSTID')
    redis.call('ZADD', KEYS[2], now - 1, ARGV[5])
    return 1
    """
)


class News(msgspec.Struct, frozen=True, array_like=True):
    """The reply of a registry to a heartbeat.

    Attributes:
        registry_missing: Whether there was no registry.
        added: Whether this instance was no member of it.
        was_dead: Whether this instance counted as dead.
        pause_ms: The time in ms until the next heartbeat is due.
        living: How many instances live, including this one.
        dead: The ids of the dead instances that may own entries.
    """

    registry_missing: bool
    added: bool
    was_dead: bool
    pause_ms: int
    living: int
    dead: Sequence[bytes]


class Registries:
    """The registries in which one instance sends heartbeats.

    Args:
        node: This process.
        names: The registries: sorted sets.
        lease_ms: The lease of this instance, in ms.
        logger: For registries that were lost.

    Attributes:
        leaving: The registries of streams in which this instance leaves entries when it stops.
    """

    def __init__(self, node: Node, names: Sequence[str], lease_ms: int, logger: Logger) -> None:
        self.leaving: set[str] = set()
        self._node = node
        self._names = list(names)
        self._lease_ms = lease_ms
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._followers: dict[str, list[Callable[[News], object]]] = defaultdict(list)
        self._joined: set[str] = set()

    def follow(self, registry: str, tell: Callable[[News], object]) -> None:
        """Register `tell`, which is called with the reply to each heartbeat in a registry."""
        self._followers[registry].append(tell)

    async def beat(self, link: Link) -> tuple[float, bool]:
        """Send heartbeats over a connection, in any thread.

        Returns:
            The seconds until the next ones are due, and whether this instance counted as dead.
        """
        arguments = (self._node.id, self._lease_ms)
        replies = await asyncio.gather(*(link.script(BEAT, [name], arguments) for name in self._names))
        news = {
            name: msgspec.convert(reply, News, strict=False) for name, reply in zip(self._names, replies, strict=True)
        }
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._tell, news)
        pause_ms = min([self._lease_ms, *(each.pause_ms for each in news.values())])
        return pause_ms / 1000, any(each.was_dead for each in news.values())

    async def depart(self) -> None:
        """Leave all registries. Where this instance leaves entries, it counts as dead, so that they are taken over."""
        departing = (
            self._node.link.script(DEPART, [name], [self._node.id, int(name in self.leaving)]) for name in self._names
        )
        await asyncio.gather(*departing, return_exceptions=True)

    async def give_back(self, registry: str, key: str, group: str, delivery: tuple[bytes, int]) -> None:
        """Leave an entry that was not started to the other instances, at once.

        Args:
            registry: The registry of the instances that read its stream.
            key: The stream.
            group: The consumer group.
            delivery: The id of the entry, and the number of its deliveries; this one does not count.
        """
        # Those that are given back at about the same time have one owner: a dead one is searched for a while only.
        owner = f"returned-{int(time.monotonic() / _SHARED_SECONDS)}-{self._node.id}"
        entry_id, deliveries = delivery
        arguments = (group, entry_id, self._node.id, deliveries, owner)
        await self._node.insist(_GIVE_BACK, [key, registry], arguments)

    def _tell(self, news: Mapping[str, News]) -> None:
        lost = sorted(name for name, each in news.items() if each.registry_missing and name in self._joined)
        if lost:
            told = "registry of instances was lost and is made again"
            self._logger.warning(told, registries=lost[:5], lost=len(lost))
        self._joined.update(news)
        for name, each in news.items():
            for tell in self._followers[name]:
                tell(each)
