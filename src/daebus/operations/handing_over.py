"""Passing the position of a listener in a durable channel to another listener, and deleting a position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import cast

from daebus.channels.listener_beats import LISTENING_MS
from daebus.channels.listener_groups import ListenerError, ListenerGroups, ListenerState
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import NOW, Script
from daebus.protocol.messages import (
    channel_listeners,
    channel_listening,
    channel_stream,
    gone_groups,
    listened_channels,
)
from daebus.queues.due_retries import ADD, ADD_AFTER, RETRY_OF

__all__ = ["ListenerChanges"]

_PAGE = 100

_MOVE_AGAIN = Script(
    NOW
    + RETRY_OF
    + ADD_AFTER
    + """
    local moved = 0
    for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
        local added = KEYS[3] and add_after(entry[1], KEYS[3], unpack(entry[2]))
        if type(added) == 'table' then return added end
        redis.call('XDEL', KEYS[1], entry[1])
        moved = moved + 1
    end
    redis.call('DEL', KEYS[1])
    for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
        local entry = retry_of(KEYS[1], member)
        if entry then
            local due = redis.call('ZSCORE', KEYS[2], member)
            redis.call('ZREM', KEYS[2], member)
            entry[1] = KEYS[3]
            if KEYS[3] then redis.call('ZADD', KEYS[2], due, cjson.encode(entry)) end
            moved = moved + 1
        end
    end
    return moved
    """
)
# Another name of a group; nothing happens if the name already has a group.
_NAME = Script(
    """
    for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
        if g[2] == ARGV[1] and not redis.call('HGET', KEYS[2], ARGV[1]) then return 0 end
    end
    redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[2])
    return redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2])
    """
)
# KEYS are the stream, the active listeners, the hash of the listeners, and the groups that are gone. ARGV are the
# group, how long a heartbeat counts, and the group of the successor, if there is one. An instance that was frozen all
# the time may still have the group's listener: when it wakes, the mark tells it that the group was not lost.
_DESTROY = Script(
    NOW
    + """
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. (now - ARGV[2]), '+inf')) do
        if string.match(member, '^%S+ (%S+)') == ARGV[1] then return 0 end
    end
    redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
    local names, fields = KEYS[3], redis.call('HGETALL', KEYS[3])
    for i = 1, #fields, 2 do
        local is_about = fields[i] == ARGV[1] .. ' from' or fields[i] == ARGV[1] .. ' name'
        if fields[i + 1] == ARGV[1] or is_about then
            if ARGV[3] and not is_about then redis.call('HSET', names, fields[i], ARGV[3])
            else redis.call('HDEL', names, fields[i]) end
        end
    end
    redis.call('ZADD', KEYS[4], now, ARGV[1])
    redis.call('PEXPIRE', KEYS[4], 7 * 86400000)
    return 1
    """
)
_PASS_ON = Script(
    NOW
    + ADD_AFTER
    + """
    if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
    local added = KEYS[2] and add_after(ARGV[2], KEYS[2], unpack(ARGV, 3))
    if type(added) == 'table' then return added end
    return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
    """
)

_Entry = tuple[bytes, list[bytes] | None]


class ListenerChanges(ListenerGroups):
    """Changes the positions of a service's listeners, while none of the affected listeners is active."""

    async def hand_over(self, channel: str, old: str, new: str) -> tuple[ListenerState, int | None]:
        """Let a listener continue at the position of another one, with the events that the old one did not handle.

        Returns:
            The old listener as it was, and how many of its events the new one gets from its own retry stream; None: the
                new one takes over the position as it is.

        Raises:
            ListenerError: There is no such position, or the new listener already has it; or both have one, and the old
                listener is active.
        """
        state = await self.find(channel, old)
        group = await self.group(channel, new)
        if group == state.group:
            raise ListenerError(f"{new!r} already has the position of {old!r}.")
        if not any(one.group == group for one in await self.all() if one.channel == channel):
            keys = [channel_stream(channel), channel_listeners(channel)]
            if await self._node.link.script(_NAME, keys, [f"{self._service}:{new}", state.group]) == 1:
                return state, None
            raise ListenerError(f"{new!r} has got its own position in the meantime: try again.")
        _require_idle(state, old)
        moved = await self._pass_on(state, group)
        await self._destroy(state, old, group)
        return state, moved

    async def drop(self, channel: str, name: str) -> ListenerState:
        """Drop a listener that no instance has, with all its waiting events. Raises `ListenerError`."""
        state = await self.find(channel, name)
        _require_idle(state, name)
        await self._destroy(state, name, None)
        await self._node.link.script(_MOVE_AGAIN, self.again(state.group, channel), [])
        if not [one for one in await self.all() if one.channel == channel]:
            await self._node.link.execute("ZREM", listened_channels(self._service), channel)
        return state

    async def _destroy(self, state: ListenerState, name: str, heir: str | None) -> None:
        """Remove a group; its names become names of the successor's group."""
        channel = state.channel
        of_channel = (channel_stream, channel_listening, channel_listeners, gone_groups)
        keys = [key(channel) for key in of_channel]
        args: list[Argument] = [state.group, LISTENING_MS, *([] if heir is None else [heir])]
        if await self._node.link.script(_DESTROY, keys, args) == 0:
            raise ListenerError(f"{state.title(name)} is active again: an instance has it. Stop the instance first.")

    async def _pass_on(self, state: ListenerState, group: str) -> int:
        """Pass the unhandled events of a group to another group's listener; return how many there are.

        The other listener gets the events published since it began anyway.
        """
        channel, link = state.channel, self._node.link
        begun = cast("bytes | None", await link.execute("HGET", channel_listeners(channel), f"{group} from"))
        since, moved, target = _position(begun or b"0-0"), 0, self.again(group, channel)[0]
        async for entry_id, fields in self._unhandled(state):
            keys = [channel_stream(channel)]
            if fields is not None and _position(entry_id) <= since:
                keys.append(target)
                moved += 1
            await self._settle(keys, state.group, entry_id, fields or [])
        keys = [*self.again(state.group, channel), target]
        return moved + cast("int", await link.script(_MOVE_AGAIN, keys, []))

    async def _settle(self, keys: Sequence[str], group: str, entry_id: bytes, fields: Sequence[bytes]) -> None:
        link = self._node.link
        try:
            await link.script(_PASS_ON, keys, [group, entry_id, *fields])
        except CommandError as error:
            if error.code != "CROSSSLOT":
                raise
            # On a cluster the stream of the listener is in another slot. If this is interrupted and repeated, the event
            # is there twice.
            await link.script(ADD, keys[1:], [entry_id, *fields])
            await link.execute("XACK", keys[0], group, entry_id)

    async def _unhandled(self, state: ListenerState) -> AsyncGenerator[_Entry]:
        """The events that the group was given and did not handle, then those that it is only given now."""
        link, stream = self._node.link, channel_stream(state.channel)
        start = b"-"
        while True:
            page = await link.execute("XPENDING", stream, state.group, start, "+", _PAGE)
            rows = cast("list[list[bytes]]", page)
            for row in rows:
                found = cast("list[_Entry]", await link.execute("XRANGE", stream, row[0], row[0]))
                yield found[0] if found else (row[0], None)
            if len(rows) < _PAGE:
                break
            start = b"(" + rows[-1][0]
        command = ("XREADGROUP", "GROUP", state.group, self._node.id, "COUNT", _PAGE, "STREAMS", stream, ">")
        while reply := cast("list[tuple[bytes, list[_Entry]]] | None", await link.execute(*command)):
            for entry in reply[0][1]:
                yield entry


def _require_idle(state: ListenerState, name: str) -> None:
    if state.instances:
        count = "an instance has" if state.instances == 1 else f"{state.instances} instances have"
        raise ListenerError(
            f"{state.title(name)} is active: {count} it. First stop them, or deploy a version without it."
        )


def _position(entry_id: bytes) -> tuple[int, int]:
    ms, _, number = entry_id.partition(b"-")
    return int(ms), int(number)
