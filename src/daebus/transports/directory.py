"""Who serves what: each instance writes it down with its heartbeat, each caller looks it up, with a cache."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from daebus.core.errors import NoSuchAction, NoSuchService, Unavailable
from daebus.core.messages import serving_registry

from .links import Script
from .node import Node
from .resp import CommandError

__all__ = ["BEAT_SECONDS", "Directory", "Presence"]

BEAT_SECONDS = 5.0
"""Seconds between two heartbeats."""

LIVE_SECONDS = 30.0
"""Seconds after the last heartbeat during which a service counts as served."""

_FRESH_SECONDS = 5.0
_UNKNOWN = (float("-inf"), frozenset[str]())

# Also where the server has no memory left for more: else nobody could be asked to make room.
_BEAT = Script(
    """#!lua flags=allow-oom
    local t = redis.call('TIME')
    local now = t[1] * 1000 + math.floor(t[2] / 1000)
    for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    return now
    """
)
_FORGET_MS = 86_400_000


class Presence:
    """Writes down, until it is stopped, that this instance serves a service and its actions.

    Args:
        node: This process.
        service: The service's name.
        actions: The names of its actions.
    """

    def __init__(self, node: Node, service: str, actions: Sequence[str]) -> None:
        self._link = node.link
        self._forgotten = asyncio.Event()
        node.when_forgotten(self._forgotten.set)
        self._service = service
        self._members = ["", *actions]
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


class Directory:
    """What a caller knows of who serves what."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[str, tuple[float, frozenset[str]]] = {}
        self._refreshing: dict[str, asyncio.Task[frozenset[str]]] = {}

    def knows(self, service: str, action: str) -> bool:
        """Whether a live instance was seen a moment ago that serves the action."""
        looked, actions = self._known.get(service, _UNKNOWN)
        return action in actions and time.monotonic() - looked <= _FRESH_SECONDS

    async def require(self, service: str, action: str) -> None:
        """Return if a live instance serves the action.

        Raises:
            NoSuchService: No instance has served the service lately.
            NoSuchAction: None of its live instances has this action.
        """
        actions = await self._served(service, action)
        if not actions:
            lately = f"in the last {LIVE_SECONDS:.0f} s"
            raise NoSuchService(
                f"No instance has served {service!r} {lately}: is it started, and on this server?",
                details={"service": service},
            )
        if action not in actions:
            raise _no_such_action(service, action, actions)

    async def serves(self, service: str) -> bool:
        """Whether an instance has served the service lately."""
        return bool(await self._served(service, ""))

    async def _served(self, service: str, wanted: str) -> frozenset[str]:
        looked, actions = self._known.get(service, _UNKNOWN)
        age = time.monotonic() - looked
        if wanted not in actions or age > LIVE_SECONDS:
            return await asyncio.shield(self._refresh(service))
        if age > _FRESH_SECONDS:
            self._refresh(service)
        return actions

    def _refresh(self, service: str) -> asyncio.Task[frozenset[str]]:
        task = self._refreshing.get(service)
        if task is None:
            task = self._refreshing[service] = asyncio.create_task(self._look(service))
            task.add_done_callback(lambda done: self._refreshed(service, done))
        return task

    def _refreshed(self, service: str, done: asyncio.Task[frozenset[str]]) -> None:
        self._refreshing.pop(service, None)
        if not done.cancelled() and done.exception() is None:
            self._known[service] = (time.monotonic(), done.result())

    async def _look(self, service: str) -> frozenset[str]:
        since = self._node.clock.now() - int(LIVE_SECONDS * 1000)
        found = await self._node.link.execute("ZRANGEBYSCORE", serving_registry(service), since, "+inf")
        return frozenset(member.decode(errors="replace") for member in cast("list[bytes]", found))


def _no_such_action(service: str, action: str, actions: frozenset[str]) -> NoSuchAction:
    names = sorted(actions - {""})
    close = difflib.get_close_matches(action, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(names) or 'none'}"
    return NoSuchAction(
        f"The service {service!r} has no action {action!r}; {hint}", details={"service": service, "actions": names}
    )
