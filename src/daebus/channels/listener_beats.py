"""Heartbeats of listeners: an instance records which listeners of durable channels it has, while it has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from daebus.connection.node import Node
from daebus.connection.resp import Argument
from daebus.connection.scripts import CLAMP, EVEN_WHEN_FULL, NOW, Script
from daebus.protocol.messages import channel_listeners, channel_listening, gone_groups, listened_channels

__all__ = ["LISTENING_MS", "ListenerBeats"]

LISTENING_MS = 15_000
"""Milliseconds after its last heartbeat during which an instance counts as having its listeners."""

_FORGET_MS = 86_400_000

_AT_ONCE = 20  # channels in one run of the script, so that the server is not held up for long

# The name of a group is written repeatedly, because a server after a failover may not have it yet. It is not written if
# the listener was dropped or handed over while this instance was frozen and counted as gone. Of the names of a group
# the one declared last counts, unless no instance uses it any more.
#
# KEYS are, for each of some channels, the hash of the listeners, and the sorted sets of the active listeners and of the
# groups that are gone. ARGV are the service, this instance, the ms after which a listener is forgotten, and for each
# channel the number of listeners, and the name and the group of each.
_BEAT = Script(
    EVEN_WHEN_FULL
    + NOW
    + CLAMP
    + f"local since = '(' .. (now - {LISTENING_MS})"
    + """
    local service, me, forget = ARGV[1], ARGV[2], ARGV[3]
    local function lives(listening, suffix)
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', listening, since, '+inf')) do
            if string.sub(member, -#suffix) == suffix then return true end
        end
        return false
    end
    local at = 4
    for key = 1, #KEYS, 3 do
        local names, listening, gone = KEYS[key], KEYS[key + 1], KEYS[key + 2]
        clamp(listening)
        for _ = 1, tonumber(ARGV[at]) do
            local name, group = ARGV[at + 1], ARGV[at + 2]
            at = at + 2
            if not redis.call('ZSCORE', gone, group) then
                redis.call('HSET', names, service .. ':' .. name, group)
                redis.call('ZADD', listening, now, me .. ' ' .. group .. ' ' .. name)
                local shown = redis.call('HGET', names, group .. ' name')
                if shown ~= name and not (shown and lives(listening, ' ' .. group .. ' ' .. shown)) then
                    redis.call('HSET', names, group .. ' name', name)
                end
            end
        end
        at = at + 1
        redis.call('ZREMRANGEBYSCORE', listening, '-inf', now - forget)
    end
    """
)
_NOTE = Script(EVEN_WHEN_FULL + NOW + "for _, name in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, name) end")


class ListenerBeats:
    """The heartbeats of the durable listeners that this instance has.

    Args:
        node: This process.
        service: The service's name.
    """

    def __init__(self, node: Node, service: str) -> None:
        self._node = node
        self._service = service
        self._groups: dict[str, dict[str, str]] = {}
        self._at_once = 1 if node.server.is_cluster else _AT_ONCE  # there, each channel may be in another slot
        self._forgotten = asyncio.Event()
        node.when_forgotten(self._forgotten.set)
        self._task: asyncio.Task[None] | None = None

    async def note(self, channels: Sequence[str]) -> None:
        """Record that the service listens to some channels. Raises the errors of the link."""
        await self._node.link.script(_NOTE, [listened_channels(self._service)], channels)

    def add(self, channel: str, name: str, group: str) -> None:
        """Send heartbeats for a listener too, which has been recorded once."""
        self._groups.setdefault(channel, {})[name] = group

    def start(self) -> None:
        """Start to send heartbeats."""
        if self._task is None:
            self._task = asyncio.create_task(self._node.keep_recorded(self._beat, self._forgotten), name="who listens")

    async def stop(self) -> None:
        """Stop, and record that this instance no longer has its listeners."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        leaving = [
            self._node.link.execute("ZREM", channel_listening(channel), f"{self._node.id} {group} {name}")
            for channel, groups in self._groups.items()
            for name, group in groups.items()
        ]
        await asyncio.gather(*leaving, return_exceptions=True)  # if one fails, its record expires soon

    async def _beat(self) -> None:
        channels = list(self._groups)
        await self.note(channels)
        for first in range(0, len(channels), self._at_once):
            keys: list[str] = []
            args: list[Argument] = [self._service, self._node.id, _FORGET_MS]
            for channel in channels[first : first + self._at_once]:
                groups = self._groups[channel]
                keys += [channel_listeners(channel), channel_listening(channel), gone_groups(channel)]
                args += [len(groups), *(part for pair in groups.items() for part in pair)]
            await self._node.link.script(_BEAT, keys, args)
