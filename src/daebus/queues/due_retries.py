"""Due retries: entries that wait for a retry return to their streams when they are due, on any live replica.

They are due by the clock of the server, which may be set. What is due then, and when, is as if it had not been:

- While there are members, a note has the time when the script ran last, for all replicas, or when the first member was
  added. If the clock is behind that note, it was set back by at least the difference: members that are due later than
  the note come earlier by as much.
- If the clock is far ahead of the note, either it was set forward, or no replica was there, or the server hung. A
  replica knows by its own clock how much time has passed since it was answered last. If the server saw much more, the
  members that were due by the clock of before wait for that much longer: as long as they had to wait before.

Members that were added after the clock was set are not moved: after a step back these are due before the note, and
after a step forward, later than the note and the step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.connection.scripts import NOW, Script
from daebus.core.uptime import uptime
from daebus.errors import Unavailable
from daebus.telemetry.logs import Logger

__all__ = ["ADD", "ADD_AFTER", "RETRY_OF", "DueRetries"]

_POLL_SECONDS = 1.0
# Where nothing waits. A replica that adds a retry looks by itself when it is due; the others do so in case it dies.
_IDLE_SECONDS = 5.0
_AT_ONCE = 100

RETRY_OF = """
    local function retry_of(stream, member)
        local ok, entry = pcall(cjson.decode, member)
        if ok and type(entry) == 'table' and entry[1] == stream then return entry end
    end
"""
"""The entry that waits for a retry as a member of the sorted set, if it is one of a stream, else nil."""

ADD_AFTER = """
    local function add_after(before, stream, ...)
        local ms = tonumber(string.match(before, '^(%d+)-'))
        if ms and ms >= now and ms - now < 604800000 then
            local added = redis.pcall('XADD', stream, string.format('%.0f-0', ms + 1), ...)
            if type(added) == 'string' then return added end
        end
        return redis.pcall('XADD', stream, '*', ...)
    end
"""
"""Defines `add_after` in a script that begins with `NOW`: it adds an entry whose id, and so its fence, is greater than
that of an entry in another stream, also if the clock of the server was set back in between. It returns its id, or an
error as a table."""

ADD = Script(NOW + ADD_AFTER + "return add_after(ARGV[1], KEYS[1], unpack(ARGV, 2))")
"""Adds an entry to a stream (KEYS), with an id greater than another one (the first of ARGV), and fields."""

# A misfit is a member that is no retry, or whose stream is none. It is put off for a minute, until the caller has moved
# it elsewhere. KEYS are the sorted set, and the note of the last time. ARGV are how many members to move at most; and
# the server's time of the last answer to this replica, and the ms that have passed here since then, or two empty texts.
# The reply has: how many were due; the ms until the next one is due, or -1; the server's time; for how many ms the
# clock was set; and the misfits.
_MOVE = Script(
    NOW
    + ADD_AFTER
    + """
    local waiting, note, step = KEYS[1], KEYS[2], 0
    local last, seen, passed = tonumber(redis.call('GET', note)), tonumber(ARGV[2]), tonumber(ARGV[3])
    local function shift(low, high)
        local found = redis.call('ZRANGEBYSCORE', waiting, low, high, 'WITHSCORES')
        for i = 1, #found, 2 do redis.call('ZADD', waiting, found[i + 1] + step, found[i]) end
    end
    if last and now < last - 1000 then
        step = now - last
        shift('(' .. last, '+inf')
    elseif last and seen and now - last > 5000 and now - seen - passed > 5000 then
        step = now - seen - passed
        shift('-inf', last + step - 1000)
    end
    local function is_retry(read, entry)
        if not read or type(entry) ~= 'table' or #entry < 4 or #entry % 2 == 1 or #entry > 100 then return false end
        for i = 1, #entry do
            if type(entry[i]) ~= 'string' then return false end
        end
        return true
    end
    local misfits = {}
    local due = redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, ARGV[1])
    for _, member in ipairs(due) do
        local read, entry = pcall(cjson.decode, member)
        local moved = is_retry(read, entry) and add_after(entry[2], entry[1], unpack(entry, 3))
        if type(moved) == 'string' then
            redis.call('ZREM', waiting, member)
        elseif not moved or string.find(moved.err, 'WRONGTYPE') or string.find(moved.err, 'non local key') then
            misfits[#misfits + 1] = member
            redis.call('ZADD', waiting, now + 60000, member)
        else
            return moved
        end
    end
    local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
    if first then redis.call('SET', note, now, 'PX', 604800000) elseif last then redis.call('DEL', note) end
    return {#due, first and math.max(0, first - now) or -1, now, step, misfits}
    """
)

_Moved = tuple[int, int, int, int, list[bytes]]


class DueRetries:
    """Moves the members of a sorted set of retries back to their streams when they are due.

    Args:
        node: This process.
        key: The sorted set.
        bury: Moves a member that is no retry to the dead letters.
        logger: The log.

    Attributes:
        keys: The sorted set, and the note of the clock.
    """

    def __init__(self, node: Node, key: str, bury: Callable[[bytes], Awaitable[None]], logger: Logger) -> None:
        self._node = node
        self.keys: tuple[str, str] = key, f"{key}:clock"
        self._bury = bury
        self._logger = logger
        self._task: asyncio.Task[None] | None = None
        self._sooner = asyncio.Event()
        self._wakes_at = 0.0
        self._seen: tuple[int, float] | None = None

    def start(self) -> None:
        """Start to move."""
        self._task = asyncio.create_task(self._move_on(), name="retries")

    async def stop(self) -> None:
        """Stop moving."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def expect(self, pause: float) -> None:
        """Look again after so many seconds at the latest, as a retry is due then."""
        if time.monotonic() + pause < self._wakes_at:
            self._sooner.set()

    async def _move_on(self) -> None:
        while True:
            pause = _POLL_SECONDS
            try:
                moved, wait, misfits = await self._move()
                for member in misfits:
                    await self._bury(member)
                    await self._node.link.execute("ZREM", self.keys[0], member)
                if moved == _AT_ONCE:
                    continue
                pause = _IDLE_SECONDS if wait < 0 else min(pause, wait / 1000)
            except (Unavailable, CommandError) as error:
                self._logger.debug("could not fetch messages that are due for a retry", reason=str(error))
            self._sooner.clear()
            self._wakes_at = time.monotonic() + pause
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._sooner.wait()

    async def _move(self) -> tuple[int, int, list[bytes]]:
        """Move what is due. Returns how many were due, the ms until the next one is due, and what is no retry."""
        since = ("", "") if self._seen is None else (self._seen[0], int((uptime() - self._seen[1]) * 1000))
        answer = await self._node.link.script(_MOVE, self.keys, (_AT_ONCE, *since))
        moved, wait, now, step, misfits = cast("_Moved", answer)
        self._seen = now, uptime()
        if step:
            self._logger.warning(
                "the clock of the server was set: retries stay due after the same time", seconds=round(step / 1000)
            )
        return moved, wait, misfits
