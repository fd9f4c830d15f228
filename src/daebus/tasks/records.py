"""The record of a background task that replicas share, and the atomic steps on it.

It is one hash in Redis, ``daebus:{SERVICE}:task:NAME``, with times in milliseconds of the server's clock: ``last`` is
the start of the last run. During a run, ``owner`` is the instance that runs it, ``until`` is the end of its lease, and
``seen`` is the last time at which the owner or another instance asked. ``fence`` is the number of the last run for its
fence: it grows with each run, and is never behind the clock, so that it also grows if the record is lost.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from daebus.connection.link import Link
from daebus.connection.scripts import LEASE_OF, NOW, Script
from daebus.errors import DaebusError

__all__ = ["TaskRecord"]

# An instance that was there before and finds no record knows that the server lost its data. A run may still be going
# on, and gets half a lease to renew. If the owner asks while the record has it as owner with a start that it does not
# know, the answer to its own claim was lost.
#
# An owner is judged by its own lease, with which its id ends: in a rolling change of the lease the others may have
# another one. During a run, the owner and all instances that wait for its end ask every third of that. If none of them
# did for half of it, the server hung or was away, and this question may stand before the owner's renewal in the queue
# of the server. Or its clock was set. Then the owner gets a whole lease to renew, and never more than that, as a clock
# that is set back would give it; lease_scripts.py has the reasoning.
_ASK = Script(
    NOW
    + LEASE_OF
    + """
local key, me, lease = KEYS[1], ARGV[1], tonumber(ARGV[2])
local expected, due, watched, latest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local function put(field, value) redis.call('HSET', key, field, string.format('%.0f', value)) end

local record = redis.call('HMGET', key, 'last', 'owner', 'until', 'seen')
local last, owner, expires, seen = tonumber(record[1]), record[2], tonumber(record[3]), tonumber(record[4] or 0)
local own = owner and lease_of(owner, lease) or lease
if owner and expires then
    if math.abs(now - seen) > own / 2 or expires > now + own then
        expires = now + own
        put('until', expires)
    end
    put('seen', now)
end
local lost = not last and expected > 0
if lost then
    owner, expires = '-', now + math.floor(lease / 2)
    redis.call('HSET', key, 'owner', owner)
    put('until', expires)
    put('seen', now)
end
if not last or last > math.max(now, latest) then
    last = last and math.max(now, latest) or now
    put('last', last)
end

local held = owner and owner ~= me and not (expires <= now and expires == watched)
local won = due > 0 and due <= now and not held and (last == expected or owner == me)
local fence = 0
if won then
    fence = math.max(now, 1 + (tonumber(redis.call('HGET', key, 'fence') or 0) or 0))
    put('fence', fence)
    if last == expected then last = now end
    put('last', last)
    put('until', now + lease)
    put('seen', now)
    redis.call('HSET', key, 'owner', me)
end
return {won and 1 or 0, now, last, held and expires or 0, own, fence, lost and 1 or 0}
"""
)

_RENEW = Script(
    NOW
    + """
local owner = redis.call('HGET', KEYS[1], 'owner')
local last = tonumber(redis.call('HGET', KEYS[1], 'last'))
if owner and owner ~= ARGV[1] and owner ~= '-' then return 0 end
if not owner and last and last ~= tonumber(ARGV[3]) then return 0 end
local expires = now + ARGV[2]
local function text(value) return string.format('%.0f', value) end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', text(expires), 'seen', text(now))
redis.call('HSETNX', KEYS[1], 'last', ARGV[3])
redis.call('HSETNX', KEYS[1], 'fence', ARGV[4])
return 1
"""
)

# This command may be executed late, when its connection is gone and the same instance has begun the next run.
_RELEASE = Script("""
local record = redis.call('HMGET', KEYS[1], 'owner', 'fence')
if record[1] ~= ARGV[1] or record[2] ~= ARGV[3] then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'until', 'seen')
redis.call('HSET', KEYS[1], 'last', ARGV[2])
return 1
""")


class TaskState(NamedTuple):
    """The answer of `TaskRecord.ask`, in milliseconds of the server's clock.

    Attributes:
        won: Whether the task was claimed.
        now: The time.
        last: The start of the last run; of this one if it was claimed.
        held_until: The end of the lease of the instance that has the task; 0: none has it.
        held_for: The lease of that instance.
        fence: The number of the claimed run for its fence, larger than that of any run before; 0: it was not claimed.
        lost: Whether there was no record although this instance had seen one.
    """

    won: bool
    now: int
    last: int
    held_until: int
    held_for: int
    fence: int
    lost: bool


class TaskRecord:
    """The record of a task in Redis. All methods raise `Unavailable` and `CommandError`.

    Attributes:
        jitter: Seconds, at most 0.02, by which this instance is late, so that not all ask at once.
    """

    def __init__(self, link: Link, *, service: str, task: str, instance: str, lease: float) -> None:
        self._link = link
        self._key = f"daebus:{{{service}}}:task:{task}"
        self.jitter: float = zlib.crc32(f"{instance} {self._key}".encode()) % 20 / 1000
        self._instance = instance
        self._lease_ms = round(lease * 1000)

    async def ask(self, last: int, due: int, watched: int, latest: int = 0) -> TaskState:
        """Read the record; also claim the task if `last` is right, it is `due` (0: no claim) and no instance holds it.

        An expired lease no longer holds the task if its end was `watched`. A recorded start later than now and than
        `latest` was recorded before the clock was set back; `latest`, or now, takes its place.
        """
        arguments = (self._instance, self._lease_ms, last, due, watched, latest)
        reply = await self._link.script(_ASK, [self._key], arguments)
        match reply:
            case [int(won), int(now), int(recorded), int(held_until), int(held_for), int(fence), int(lost)]:
                return TaskState(bool(won), now, recorded, held_until, held_for, fence, bool(lost))
            case _:
                raise DaebusError(f"The server answered a question about {self._key} with {reply!r}: is it Redis?")

    async def renew(self, started: int, fence: int) -> bool:
        """Extend the lease of the run that was `started` then; False: another instance has the task."""
        arguments = (self._instance, self._lease_ms, started, fence)
        return await self._link.script(_RENEW, [self._key], arguments) == 1

    async def release(self, last: int, fence: int) -> None:
        """End the run with this fence; `last` becomes the recorded start. Does nothing if another run has the task."""
        await self._link.script(_RELEASE, [self._key], [self._instance, last, fence])
