"""Presence: an instance records what it serves, for as long as it serves it; `directory` reads it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress

from daebus.connection.link import Link
from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import CLAMP, EVEN_WHEN_FULL, NOW, Script
from daebus.errors import Unavailable
from daebus.payloads.codec import encode
from daebus.protocol.discovery import SERVICES
from daebus.protocol.messages import instance_registry, serving_channel, serving_instances, serving_registry
from daebus.queues.lease_scripts import STEP

from .directory import LEFT

__all__ = ["Presence"]

_LEAVE_SECONDS = 2.0

_log = logging.getLogger(__name__)

_BEAT = Script(
    EVEN_WHEN_FULL
    + NOW
    + CLAMP
    + """
    local forget, live, me, left = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
    clamp(KEYS[1])
    clamp(KEYS[2])
    local added = redis.call('ZADD', KEYS[1], now, '')
    for i = 5, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
    redis.call('ZREM', KEYS[1], left)
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - forget)
    redis.call('PEXPIRE', KEYS[1], forget)
    redis.call('ZADD', KEYS[2], now, me)
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - live)
    redis.call('PEXPIRE', KEYS[2], live)
    return added
    """
)
# Beside the registry of each service, as the keys of services are in several slots of a cluster.
_LIST = Script(
    EVEN_WHEN_FULL
    + NOW
    + CLAMP
    + """
    clamp(KEYS[1])
    redis.call('ZADD', KEYS[1], now, ARGV[2])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    """
)
# In one step with the check of the others, because two instances that stop at once must not each rely on the other. An
# instance that was killed does not count either, once its lease is over.
_LEAVE = Script(
    STEP
    + """
    local live, me, actions, left, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
    local version = string.match(me, ' (.*)')
    local others = {}
    step(KEYS[3], lease)
    redis.call('ZREM', KEYS[2], me)
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], now - live, '+inf')) do
        if lives(KEYS[3], string.match(other, '^%S+')) then others[#others + 1] = other end
    end
    for _, other in ipairs(others) do
        if string.match(other, ' (.*)') == version then return 0 end
    end
    redis.call('ZREM', KEYS[1], actions)
    if #others == 0 then redis.call('ZADD', KEYS[1], now, left) end
    return 1
    """
)
# An instance that starts with fewer partitions than the service had within a week also reads those partitions.
_FORGET_MS = 7 * 86_400_000


class Presence:
    """Records, until it is stopped, that this instance serves a service and its actions.

    Callers read little, however many instances and actions there are: one list of actions for each live version of the
    service.

    Args:
        node: This process.
        service: The service's name.
        actions: The names of its actions.
        partitions: How many partitions it has.
        lease: Seconds after its last heartbeat at which another instance counts as dead.
    """

    def __init__(self, node: Node, service: str, actions: Sequence[str], partitions: int, lease: float) -> None:
        self._node = node
        self._forgotten = asyncio.Event()
        node.when_forgotten(self._forgotten.set)
        self._service = service
        self._keys = [serving_registry(service), serving_instances(service), instance_registry(service)]
        self._lease_ms = int(lease * 1000)
        self._live_ms = int(node.timings.live * 1000)
        self._actions = encode(sorted(actions))
        self._me = f"{node.id} {hashlib.sha256(self._actions).hexdigest()[:16]}"
        self._members: list[Argument] = [f":{partitions}", self._actions]
        self._is_recorded = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Record the presence, and keep it up to date."""
        await self._beat()
        self._task = asyncio.create_task(
            self._node.keep_recorded(self._beat, self._forgotten), name=f"presence of {self._service}"
        )

    async def stop(self) -> None:
        """Stop, and announce it: actions that no other instance serves count as no longer served, and callers are told.

        If the server is out of reach, the instance counts as serving until its last heartbeat is old.
        """
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait({task})
        with suppress(Unavailable, CommandError, TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self.leave(self._node.link)

    async def leave(self, link: Link) -> None:
        """Announce over a connection, in any thread, that this instance no longer serves. Raises the link's errors."""
        what: list[Argument] = [self._live_ms, self._me, self._actions, LEFT, self._lease_ms]
        if await link.script(_LEAVE, self._keys, what):
            await link.execute("PUBLISH", serving_channel(self._service), self._node.id)

    async def _beat(self) -> None:
        what: list[Argument] = [_FORGET_MS, self._live_ms, self._me, LEFT, *self._members]
        if await self._node.link.script(_BEAT, self._keys[:2], what) and self._is_recorded:
            _log.warning("The registry of what %r serves was lost and is made again.", self._service)
        self._is_recorded = True
        await self._node.link.script(_LIST, [SERVICES], [_FORGET_MS, self._service])
