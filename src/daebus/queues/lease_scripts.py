"""The lease protocol: atomic steps on a registry of instances and on the entries that the instances own.

A registry is a sorted set of the instances of a service. Its scores are expiries: with each heartbeat an instance
writes the server's time plus its own lease, in ms. Its id ends with its lease, as in ``9f2c1a2b3c4d-6000``, so an
instance that finds the id, in a registry or as a consumer of a stream, knows the lease by which to judge it. A replica
with another lease, in a rolling change, therefore takes nothing from it too early.

Another instance may take over the entries of an owner once the owner has been silent for its lease *while the server
answered others*. The instance that takes over cannot know this second condition by itself. Its command may wait in the
socket of a server that hangs, and is then executed before the heartbeats that wait behind it. So every script begins
with the same step, which decides by the content of the registry:

- The registry notes when the server last executed a step, of whichever instance (``:answered``). If that is longer ago
  than half a lease, no instance was answered for about that time, because there is a heartbeat in every third of a
  lease. The server hung, or all instances were cut off. The first step after such a gap, whatever it is and from
  whichever instance, finds the gap. Before it does anything else, it writes expiries as if every member had sent a
  heartbeat now. From then on each member has a whole lease for its next one.
- What is a gap is judged for each member by its own lease. Where leases differ, all instances send a heartbeat every
  third of the least one (``:least``). If those with long leases did not, a dead owner with a short one would see a gap
  between any two of their heartbeats, and never count as dead.
- A stall of less than half a lease is not noticed, and need not be. At its end the heartbeat of a live instance is at
  most 5/6 of a lease old. The next one is in the socket already, or comes with the next connection.
- An instance that takes over cannot rely on its own heartbeat alone, because that may stand before its command in the
  same queue. The order of the steps of several replicas, and their connections, do not matter: the first step ends the
  gap, and only a time without any step counts as a gap.
- An instance that was silent while others were answered counts as dead, even if only its connection stalled. An
  instance that others may regard as dead takes nothing over.
- A clock that is set, forward or back, by more than half a lease looks like a gap. If it is set by less, the age of a
  live instance's heartbeat stays below a lease, as with a stall. But an owner that is out of reach then has less time.
  So it relies on a heartbeat for half a lease only (`leases`), and `BEAT` and `CONFIRM` tell it whether it was dead.

So after this step an instance is dead if its score is less than now. The scores of the two notes are negated, so that
they do not count as instances.

A registry that was lost is made by the next heartbeat. It knows no owners, so nobody is dead. Each instance finds with
its next heartbeat that it is not known, and looks at all consumers of its streams (`SCAN`). A consumer that no registry
knows becomes a member, as if it had sent a heartbeat now. Dead members leave the registry a minute after their death,
or after the last of their entries was taken over.

Idle instances send only heartbeats. Streams are looked at only when their replies name instances as dead (`FIND`).
"""

from __future__ import annotations

from daebus.connection.scripts import EVEN_WHEN_FULL, LEASE_OF, NOW, Script
from daebus.protocol.fences import DRAW

__all__ = ["BEAT", "CONFIRM", "DEPART", "FIND", "IS_MINE", "LEAVE", "SCAN", "STEP", "TAKE_OVER"]

STEP = (
    EVEN_WHEN_FULL
    + NOW
    + LEASE_OF
    + """
    local function lives(registry, name)
        local expires = redis.call('ZSCORE', registry, name)
        return expires and tonumber(expires) >= now
    end
    local function is_dead(registry, name)
        return redis.call('ZSCORE', registry, name) and not lives(registry, name)
    end
    local function note_least(registry, lease)
        local least = lease
        for _, name in ipairs(redis.call('ZRANGEBYSCORE', registry, now, '+inf')) do
            least = math.min(least, lease_of(name, lease))
        end
        redis.call('ZADD', registry, -least, ':least')
        return least
    end
    local function step(registry, lease)
        local answered = redis.call('ZSCORE', registry, ':answered')
        local passed = answered and math.abs(now + answered) or math.huge
        if passed > -(redis.call('ZSCORE', registry, ':least') or -lease) / 2 then
            for _, name in ipairs(redis.call('ZRANGEBYSCORE', registry, 0, '+inf')) do
                local own = lease_of(name, lease)
                if passed > own / 2 then redis.call('ZADD', registry, now + own, name) end
            end
            if answered then note_least(registry, lease) end
        end
        if answered then redis.call('ZADD', registry, -now, ':answered') end
        return answered
    end
    """
)
"""The start of scripts that ask a registry for live members. After `step`, a member lives if its score is now or later.

`step` answers false if the note of the last step is missing, which the next heartbeat writes.
"""

_GONE_MS = 60_000

# KEYS is the registry; ARGV are the instance and its lease in ms. The reply has: 1 if the registry was missing; 1 if
# the instance was no member; 1 if it was dead; the ms until the next heartbeat; how many live; and the ids of the dead.
BEAT = Script(
    STEP
    + """
    local registry, me, lease = KEYS[1], ARGV[1], tonumber(ARGV[2])
    local missing = not step(registry, lease)
    local was_dead = is_dead(registry, me)
    local added = redis.call('ZADD', registry, now + lease, me)
    if missing then redis.call('ZADD', registry, -now, ':answered') end
    local least = -(redis.call('ZSCORE', registry, ':least') or 0)
    if least ~= lease then least = note_least(registry, lease) end
    redis.call('ZREMRANGEBYSCORE', registry, 0, now - """
    + str(_GONE_MS)
    + """)
    redis.call('PEXPIRE', registry, 86400000)
    local dead = redis.call('ZRANGEBYSCORE', registry, 0, '(' .. now)
    local next = redis.call('ZRANGEBYSCORE', registry, now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    local pause = math.min(math.floor(least / 3), next[2] - now + 1)
    return {missing and 1 or 0, added, was_dead and 1 or 0, pause, redis.call('ZCARD', registry) - 2 - #dead, dead}
    """
)

# An instance that stops leaves the registry. If it left entries, it counts as dead at once. KEYS is the registry; ARGV
# are the instance, and 1 if it left entries.
DEPART = Script(
    EVEN_WHEN_FULL
    + NOW
    + """
    if ARGV[2] == '1' then redis.call('ZADD', KEYS[1], 'XX', now - 1, ARGV[1])
    else redis.call('ZREM', KEYS[1], ARGV[1]) end
    """
)

# Which streams have entries of dead instances. The consumers of the dead are deleted where they own nothing. KEYS are
# the registry and the streams; ARGV are the group, the instance, its lease in ms, and the ids of the dead. The reply
# has the positions of the streams, from 0; or only -1 if the instance itself counts as dead.
_LOOK = """
    local registry, group, me, lease = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
    local found = {}
    step(registry, lease)
    if not lives(registry, me) then return {-1} end
"""
FIND = Script(
    STEP
    + _LOOK
    + """
    local has = {}
    for n = 4, #ARGV do
        local name = ARGV[n]
        if is_dead(registry, name) then
            for i = 2, #KEYS do
                local pending = redis.pcall('XPENDING', KEYS[i], group, '-', '+', 1, name)
                if #pending > 0 then
                    has[i] = true
                    redis.call('ZADD', registry, now - 1, name)
                elseif not pending.err then
                    redis.call('XGROUP', 'DELCONSUMER', KEYS[i], group, name)
                end
            end
        end
    end
    for i = 2, #KEYS do
        if has[i] then found[#found + 1] = i - 2 end
    end
    return found
    """
)

# Like `FIND`, for all consumers of the streams. One that is not in the registry becomes a member. No ids in ARGV.
SCAN = Script(
    STEP
    + _LOOK
    + """
    local expiries, members = {}, redis.call('ZRANGE', registry, 0, -1, 'WITHSCORES')
    for i = 1, #members, 2 do expiries[members[i]] = tonumber(members[i + 1]) end
    for i = 2, #KEYS do
        local has = false
        for _, owner in ipairs(redis.pcall('XINFO', 'CONSUMERS', KEYS[i], group)) do
            local name, pending, expires = owner[2], owner[4], expiries[owner[2]]
            if not expires then
                expiries[name] = now + lease_of(name, lease)
                redis.call('ZADD', registry, expiries[name], name)
            elseif expires < now then
                has = has or pending > 0
                if pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[i], group, name) end
            end
        end
        if has then found[#found + 1] = i - 2 end
    end
    return found
    """
)

# The count of an entry (`times_delivered`) is how often it may have killed the instance that had it. The entries that
# dead instances had in flight are suspects. Each is claimed alone, when it can start, because the claim counts. The
# others stay with the dead instance, uncounted. So when an instance dies, only a suspect that it had started is charged
# with that. The suspects with the lowest count go first, so that harmless entries are finished before the one that
# kills runs again. The entries of an instance that stopped in order have a count of 0 and are no suspects.
#
# KEYS are the stream, the registry, and the counter of the fences. ARGV are the group, the instance, its lease in ms,
# how many entries it has room for, 1 if it may start a suspect, and the ids of the dead. The reply has the entries,
# each with the number for its fence, and how many entries of the dead are left; -1 stands for unknown, because the
# instance itself counts as dead.
TAKE_OVER = Script(
    STEP
    + DRAW
    + """
    local registry, group, me, lease, room = KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
    local taken, suspects, dead, more, drawn = {}, {}, {}, 0, nil
    local function claim(p)
        local entry = redis.call('XCLAIM', KEYS[1], group, me, 0, p[1])[1]
        if entry then
            drawn = drawn or draw(KEYS[3])
            taken[#taken + 1] = {entry[1], entry[2], p[4] + 1, drawn}
        end
        return entry
    end
    step(registry, lease)
    if not lives(registry, me) then return {taken, -1} end
    local named = {}
    for n = 6, #ARGV do named[ARGV[n]] = is_dead(registry, ARGV[n]) end
    for _, owner in ipairs(redis.call('XPENDING', KEYS[1], group)[4] or {}) do
        local name = owner[1]
        if named[name] then
            more = more + owner[2]
            for _, p in ipairs(redis.call('XPENDING', KEYS[1], group, '-', '+', 100 - math.min(99, #suspects), name)) do
                if p[4] > 0 then
                    suspects[#suspects + 1] = p
                    p[5] = #suspects
                elseif #taken < room then
                    claim(p)
                end
            end
            dead[#dead + 1] = name
        end
    end
    table.sort(suspects, function(a, b) return a[4] < b[4] or (a[4] == b[4] and a[5] < b[5]) end)
    for _, p in ipairs(suspects) do
        if ARGV[5] ~= '1' or #taken >= room or claim(p) then break end
    end
    for _, name in ipairs(dead) do
        if #redis.call('XPENDING', KEYS[1], group, '-', '+', 1, name) == 0 then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, name)
        else
            redis.call('ZADD', registry, now - 1, name)
        end
    end
    return {taken, more - #taken}
    """
)

# An instance that stops returns its unfinished entries. They are not at fault, so this delivery does not count. KEYS
# are the streams; ARGV are the group and the instance. The reply is how many they are.
LEAVE = Script(
    """
    local group, me, left = ARGV[1], ARGV[2], 0
    for i = 1, #KEYS do
        -- One that was deleted is no reason to leave the others.
        for _, c in ipairs(redis.pcall('XINFO', 'CONSUMERS', KEYS[i], group)) do
            local name, pending = c[2], c[4]
            if name == me and pending == 0 then
                redis.call('XGROUP', 'DELCONSUMER', KEYS[i], group, me)
            elseif name == me then
                left = left + pending
                for _, p in ipairs(redis.call('XPENDING', KEYS[i], group, '-', '+', pending, me)) do
                    redis.call('XCLAIM', KEYS[i], group, me, 0, p[1], 'RETRYCOUNT', math.max(0, p[4] - 1), 'JUSTID')
                end
            end
        end
    end
    return left
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
# its id and the number of deliveries. The reply has a 1 if the instance was dead, and a 1 for each entry that is still
# with it, else a 0.
CONFIRM = Script(
    STEP
    + IS_MINE
    + """
    step(KEYS[2], tonumber(ARGV[3]))
    local answers, any = {is_dead(KEYS[2], ARGV[2]) and 1 or 0}, false
    for i = 4, #ARGV, 2 do
        local mine = is_mine(KEYS[1], ARGV[1], ARGV[i], ARGV[2], ARGV[i + 1]) or false
        answers[#answers + 1] = mine and 1 or 0
        any = any or mine
    end
    if any then redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2]) end
    return answers
    """
)
