"""Who serves what, in how many partitions: each instance writes it down, each caller looks it up, with a cache."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

import msgspec

from daebus.core.errors import NoSuchAction, NoSuchService, Unavailable
from daebus.core.messages import MAX_PARTITIONS, partition_of, serving_registry
from daebus.core.names import did_you_mean

from .node import Node
from .resp import CommandError
from .scripts import EVEN_WHEN_FULL, NOW, Script

__all__ = ["Directory", "Presence", "partitions_to_read"]

BEAT_SECONDS = 5.0
"""Seconds between two heartbeats."""

LIVE_SECONDS = 30.0
"""Seconds after the last heartbeat during which a service counts as served."""

_FRESH_SECONDS = 5.0

_BEAT = Script(
    EVEN_WHEN_FULL
    + NOW
    + """
    for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return now
    """
)
# Whoever starts within a week with fewer partitions than others had works off what lies in those, too.
_FORGET_MS = 7 * 86_400_000


class Presence:
    """Writes down, until it is stopped, that this instance serves a service and its actions.

    Args:
        node: This process.
        service: The service's name.
        actions: The names of its actions.
        partitions: How many partitions it has.
    """

    def __init__(self, node: Node, service: str, actions: Sequence[str], partitions: int) -> None:
        self._link = node.link
        self._forgotten = asyncio.Event()
        node.when_forgotten(self._forgotten.set)
        self._service = service
        self._members = ["", f":{partitions}", *actions]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write it down, and go on doing so."""
        await self._beat()
        self._task = asyncio.create_task(self._go_on(), name=f"presence of {self._service}")

    async def stop(self) -> None:
        """Stop. The service counts as served for a while yet, so that a restart goes unnoticed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _beat(self) -> None:
        await self._link.script(_BEAT, [serving_registry(self._service)], [_FORGET_MS, *self._members])

    async def _go_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_SECONDS):
                    await self._forgotten.wait()
            self._forgotten.clear()
            with suppress(Unavailable, CommandError):  # the link says so in the log, and the next beat comes
                await self._beat()


class _Served(msgspec.Struct, frozen=True):
    """What was known of a service at a time.

    Attributes:
        looked: The time, in seconds of `time.monotonic`.
        actions: The actions of its live instances, and the empty name; nothing where there are none.
        seen: Whether an instance has served it within a week.
        partitions: How many partitions the service has, or had last.
        turns: Counts those who take the partitions in turn.
    """

    looked: float
    actions: frozenset[str]
    seen: bool
    partitions: int
    turns: Iterator[int]


_UNKNOWN = _Served(float("-inf"), frozenset(), seen=False, partitions=1, turns=itertools.count())


class Directory:
    """What a caller knows of who serves what."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[str, _Served] = {}
        self._refreshing: dict[str, asyncio.Task[_Served]] = {}

    def knows(self, service: str, action: str) -> bool:
        """Whether a live instance was seen a moment ago that serves the action."""
        known = self._known.get(service, _UNKNOWN)
        return action in known.actions and time.monotonic() - known.looked <= _FRESH_SECONDS

    def partition(self, service: str, key: str | None) -> str:
        """The partition to which a request goes: that of its idempotency key, or else each in turn.

        It is the first one where nothing is known of the service.
        """
        known = self._known.get(service, _UNKNOWN)
        if known.partitions == 1:
            return service
        number = next(known.turns) if key is None else zlib.crc32(key.encode())
        return partition_of(service, number % known.partitions)

    async def require(self, service: str, action: str) -> None:
        """Return if a live instance serves the action.

        Raises:
            NoSuchService: No instance has served the service lately.
            NoSuchAction: None of its live instances has this action.
        """
        actions = await self._served(service, action)
        if not actions:
            lately = f"in the last {LIVE_SECONDS:.0f} s"
            seen = [name for name, known in self._known.items() if known.actions]
            hint = did_you_mean(service, seen, "is it started, and on this server?")
            raise NoSuchService(f"No instance has served {service!r} {lately}: {hint}", details={"service": service})
        if action not in actions:
            raise _no_such_action(service, action, actions)

    async def serves(self, service: str) -> bool:
        """Whether an instance has served the service lately."""
        return bool(await self._served(service, ""))

    def has_seen(self, service: str) -> bool:
        """Whether an instance has served the service within a week, as of the last look: then it is none of 0.0.31."""
        return self._known.get(service, _UNKNOWN).seen

    async def _served(self, service: str, wanted: str) -> frozenset[str]:
        known = self._known.get(service, _UNKNOWN)
        age = time.monotonic() - known.looked
        if wanted not in known.actions or age > LIVE_SECONDS:
            return (await asyncio.shield(self._refresh(service))).actions
        if age > _FRESH_SECONDS:
            self._refresh(service)
        return known.actions

    def _refresh(self, service: str) -> asyncio.Task[_Served]:
        task = self._refreshing.get(service)
        if task is None:
            task = self._refreshing[service] = asyncio.create_task(self._look(service))
            task.add_done_callback(lambda done: self._refreshed(service, done))
        return task

    def _refreshed(self, service: str, done: asyncio.Task[_Served]) -> None:
        self._refreshing.pop(service, None)
        if not done.cancelled():
            done.exception()  # whoever awaits it gets it; nobody may

    async def _look(self, service: str) -> _Served:
        live = LIVE_SECONDS * 1000
        beats = await _beats(self._node, service)
        since = self._node.clock.now() - live
        actions = frozenset(name for name, beat in beats.items() if beat >= since and not name.startswith(":"))
        # Where no instance lives, those count that were the last to live: keys go where they went before.
        lived = beats.get("", 0.0) - live
        partitions = _partitions({name: beat for name, beat in beats.items() if beat >= lived})
        turns = itertools.count(random.randrange(partitions))  # noqa: S311  # spread, not secrecy
        found = self._known[service] = _Served(time.monotonic(), actions, bool(beats), partitions, turns)
        return found


async def partitions_to_read(node: Node, service: str, count: int) -> list[str]:
    """The partitions of a service that has so many; also those that it had last week, so that nothing is left there."""
    most = max(count, _partitions(await _beats(node, service)))
    return [partition_of(service, number) for number in range(most)]


async def _beats(node: Node, service: str) -> dict[str, float]:
    """The last heartbeat, in ms of the server's clock, of everything that stands in the registry."""
    found = await node.link.execute("ZRANGE", serving_registry(service), 0, -1, "WITHSCORES")
    flat = cast("list[bytes]", found)
    return {name.decode(errors="replace"): float(beat) for name, beat in zip(flat[::2], flat[1::2], strict=True)}


def _partitions(beats: Mapping[str, float]) -> int:
    counts = [int(name[1:]) for name in beats if name[:1] == ":" and name[1:].isdecimal() and len(name) < 6]
    return min(MAX_PARTITIONS, max([1, *counts]))


def _no_such_action(service: str, action: str, actions: frozenset[str]) -> NoSuchAction:
    names = sorted(actions - {""})
    hint = did_you_mean(action, names, f"it has: {', '.join(names) or 'none'}")
    return NoSuchAction(
        f"The service {service!r} has no action {action!r}; {hint}", details={"service": service, "actions": names}
    )
