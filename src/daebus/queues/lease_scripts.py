"""The lease protocol: atomic steps on a registry of instances and on the entries that the instances own.

A registry is a sorted set. Each instance of a service writes the time of its last heartbeat there, in ms of the
server's clock. Another instance may take over its entries once it has been silent for a lease *while the server
answered others*. The instance that takes over cannot know this second condition by itself. Its command may wait in the
socket of a server that hangs, and is then executed before the heartbeats that wait behind it. So every step decides by
the content of the registry:

- If the newest heartbeat of all members is older than half a lease, no instance was answered for about that time,
  because each member sends a heartbeat every third of a lease. The server hung, or all instances were cut off. The
  first step after such a gap, whatever it is and from whichever instance, finds the gap. It records when the gap ended
  before it writes a heartbeat, which would hide the gap. From then on each member counts as having sent a heartbeat at
  that time, so it has a whole lease for the next one.
- A shorter stall is not noticed, and need not be. At its end the heartbeat of a live instance is at most 5/6 of a lease
  old. The next one is in the socket already, or comes with the next connection.
- An instance that takes over cannot rely on its own heartbeat alone, because that may stand before its command in the
  same queue. The order of the steps of several replicas, and their connections, do not matter: the first step ends the
  gap, and only the silence of all members counts as a gap.
- An instance that was silent while others sent heartbeats counts as dead, even if only its connection stalled. An
  instance that others may regard as dead takes nothing over.

The registry stores the time at which the last gap ended under the empty name. This time is negated, so that the name
does not count as a live instance. A new registry, for example on a server that lost its data, begins with such a gap,
because the owners have no heartbeats in it. A clock that is set forward looks like a gap. If the clock was set back,
heartbeats that lie in the future count as received now.
"""

from __future__ import annotations

from daebus.connection.scripts import EVEN_WHEN_FULL, NOW, Script
from daebus.protocol.fences import DRAW

__all__ = ["BEAT", "CONFIRM", "GAPS", "IS_MINE", "LEAVE", "MAKE_GROUP", "OWNED", "TAKE_OVER"]

GAPS = (
    EVEN_WHEN_FULL
    + NOW
    + """
    local function gap_ended(registry, lease)
        local newest = tonumber(redis.call('ZREVRANGE', registry, 0, 0, 'WITHSCORES')[2] or 0)
        local ended = -tonumber(redis.call('ZSCORE', registry, '') or 0)
        if newest > now then
            for _, name in ipairs(redis.call('ZRANGEBYSCORE', registry, now, '+inf')) do
                redis.call('ZADD', registry, now, name)
            end
        end
        if ended == 0 or ended > now or now - newest > lease / 2 then
            ended = now
            redis.call('ZADD', registry, -now, '')
        end
        return ended
    end
    """
)
"""The start of scripts that ask a registry for live members; after `gap_ended` each member counts as heard."""

# The id of an instance that was killed stays there for a day. KEYS is the registry; ARGV are the instance and its lease
# in ms.
BEAT = Script(
    GAPS
    + """
    gap_ended(KEYS[1], tonumber(ARGV[2]))
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '(0', now - 86400000)
    redis.call('PEXPIRE', KEYS[1], 86400000)
    """
)

# The count of an entry (`times_delivered`) is how often it may have killed the instance that had it. The entries that
# dead instances had in flight are suspects. Each is claimed alone, when it can start, because the claim counts. The
# others stay with the dead instance, uncounted. So when an instance dies, only a suspect that it had started is charged
# with that. The suspects with the lowest count go first, so that harmless entries are finished before the one that
# kills runs again. The entries of an instance that stopped in order have a count of 0 and are no suspects.
#
# KEYS are the stream, the registry, and the counter of the fences. ARGV are the group, the instance, its lease in ms,
# how many entries it has room for, and 1 if it may start a suspect. The reply has the entries, each with the number for
# its fence, the ms after which the next owner may count as dead, and how many entries of dead instances are left.
TAKE_OVER = Script(
    GAPS
    + DRAW
    + """
    local group, me, lease, room = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
    local ended = gap_ended(KEYS[2], lease)
    local function left(name)
        return math.max(ended, tonumber(redis.call('ZSCORE', KEYS[2], name) or 0)) + lease - now
    end
    local taken, suspects, wait, more, drawn = {}, {}, lease, 0, nil
    local function claim(p)
        local entry = redis.call('XCLAIM', KEYS[1], group, me, 0, p[1])[1]
        if entry then
            drawn = drawn or draw(KEYS[3])
            taken[#taken + 1] = {entry[1], entry[2], p[4] + 1, drawn}
        end
        return entry
    end
    if left(me) < 0 then return {taken, wait, more} end
    for _, owner in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
        local name, pending = owner[2], owner[4]
        local rest = left(name)
        if name ~= me and rest >= 0 then
            if pending > 0 then wait = math.min(wait, rest + 1) end
        elseif name ~= me then
            more = more + pending
            for _, p in ipairs(redis.call('XPENDING', KEYS[1], group, '-', '+', 100 - math.min(99, #suspects), name)) do
                if p[4] > 0 then
                    suspects[#suspects + 1] = p
                    p[5] = #suspects
                elseif #taken < room then
                    claim(p)
                end
            end
            if #redis.call('XPENDING', KEYS[1], group, '-', '+', 1, name) == 0 then
                redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name)
            end
        end
    end
    table.sort(suspects, function(a, b) return a[4] < b[4] or (a[4] == b[4] and a[5] < b[5]) end)
    for _, p in ipairs(suspects) do
        if ARGV[5] ~= '1' or #taken >= room or claim(p) then break end
    end
    return {taken, wait, more - #taken}
    """
)

# Answers 0 if the group was removed on purpose, so it was not lost. KEYS are the stream, and the sorted set of the
# groups that are gone; ARGV is the group.
MAKE_GROUP = Script(
    EVEN_WHEN_FULL
    + """
    if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
    redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
    return 1
    """
)

# Entries that the server delivered to an instance which never received them, because a connection broke. They are
# returned without counting another delivery, as XREADGROUP would. The answer to a take-over may have been lost, so each
# gets a number for its fence. KEYS are the stream and the counter of the fences; ARGV are the group, the instance, the
# id to start from, and the number of entries.
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

# An instance that stops returns its unfinished entries. They are not at fault, so this delivery does not count. KEYS
# are the streams; ARGV are the group and the instance.
LEAVE = Script(
    """
    local group, me = ARGV[1], ARGV[2]
    for i = 1, #KEYS do
        -- One that was deleted is no reason to leave the others.
        for _, c in ipairs(redis.pcall('XINFO', 'CONSUMERS', KEYS[i], group)) do
            local name, pending = c[2], c[4]
            if name == me and pending == 0 then
                redis.call('XGROUP', 'DELCONSUMER', KEYS[i], group, me)
            elseif name == me then
                for _, p in ipairs(redis.call('XPENDING', KEYS[i], group, '-', '+', pending, me)) do
                    redis.call('XCLAIM', KEYS[i], group, me, 0, p[1], 'RETRYCOUNT', math.max(0, p[4] - 1), 'JUSTID')
                end
            end
        end
    end
    """
)

IS_MINE = """
    local function is_mine(stream, group, id, instance, deliveries)
        local found = redis.pcall('XPENDING', stream, group, id, id, 1, instance)
        if found.err then return nil end
        return #found == 1 and found[1][4] == tonumber(deliveries)
    end
"""
"""Defines `is_mine` in a script: whether an entry is still with the delivery that an instance handles.

Its name is not enough: another instance may have taken the entry over and left, so that the first one took it over
again. Each time that an instance gets an entry, the number of deliveries is larger than the last time that it got it.
An instance that stops takes its delivery back (`LEAVE`), so that the entry is not with that delivery any more. nil: the
group is gone.
"""

# Asked after a pause in which entries may have been taken over. If they were not, the heartbeat ensures that they will
# not be. KEYS are the stream and the registry; ARGV are the group, the instance, its lease in ms, and for each entry
# its id and the number of deliveries. The reply has a 1 for each entry that is still with the instance, else a 0.
CONFIRM = Script(
    GAPS
    + IS_MINE
    + """
    gap_ended(KEYS[2], tonumber(ARGV[3]))
    local answers, any = {}, false
    for i = 4, #ARGV, 2 do
        local mine = is_mine(KEYS[1], ARGV[1], ARGV[i], ARGV[2], ARGV[i + 1]) or false
        answers[#answers + 1] = mine and 1 or 0
        any = any or mine
    end
    if any then redis.call('ZADD', KEYS[2], now, ARGV[2]) end
    return answers
    """
)
