"""The lease protocol: the atomic steps on a registry of instances and on what its members own.

A registry is a sorted set in which each instance of a service writes the time of its last heartbeat, in ms of the
server's clock. Its entries are another's once it has been silent for a lease *while the server answered others*. That
last half cannot be known to whoever asks: a question that waits in the socket of a server that hangs is answered when
the server goes on, before the heartbeats that wait behind it. So every step decides by what the registry itself shows:

- Where the newest heartbeat of all members is older than half a lease, nobody was answered for about that long, as each
  member beats every third of a lease: the server hung, or everybody was cut off. What comes first after such a gap,
  whatever it is and whoever sent it, finds it, and writes down when the gap ended, before it writes a heartbeat, which
  would hide it. From then on each member counts as having beaten at that time: it has a whole lease in which to beat.
- A stall shorter than that is not noticed, and need not be: at its end the heartbeat of an instance that lives is at
  most 5/6 of a lease old, and the next one is in the socket already, or comes with the next connection.
- It is not enough that the one who takes over looks at its own heartbeat: that one may stand before its question in the
  same queue. Nor does it matter in which order the steps of several replicas are run, or on how many connections they
  came: the gap is over with the first one, and is never found by less than all members' silence.
- Who was silent while others beat has nobody to vouch for it, and is taken for dead, also where only its connection
  stood still. An instance that others may take for dead itself takes nothing.

The time at which the last gap ended stands in the registry under the empty name, negated, so that the name is not taken
for an instance that lives. A registry that is begun, perhaps anew on a server that lost its data, begins with such a
gap: its owners have no heartbeats in it. A clock that is set forward looks like a gap; heartbeats that lie in the
future, as it was set back, count as heard now.
"""

from __future__ import annotations

from daebus.connection.scripts import EVEN_WHEN_FULL, NOW, Script

__all__ = ["BEAT", "CONFIRM", "GAPS", "LEAVE", "MAKE_GROUP", "OWNED", "TAKE_OVER"]

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
"""Begins scripts that ask a registry who lives: `gap_ended` is when every member counts as having beaten last."""

# Who was killed leaves its id there for a day. KEYS is the registry; ARGV are the instance and its lease in ms.
BEAT = Script(
    GAPS
    + """
    gap_ended(KEYS[1], tonumber(ARGV[2]))
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '(0', now - 86400000)
    redis.call('PEXPIRE', KEYS[1], 86400000)
    """
)

# The count of an entry (`times_delivered`) is how often it may have killed the instance that had it. What the dead had
# in hand are suspects: each is claimed alone, as the claim counts, when it can begin; the others stay with the dead,
# uncounted. So of all the suspects of an instance that dies, only one that it had begun is charged with that. Those
# that were suspected least often go first: the innocent are done with before what kills comes up again. What an
# instance left that stopped in order has a count of 0: it is no suspect.
#
# KEYS are the stream and the registry; ARGV are the group, the instance, its lease in ms, how many entries it has room
# for, and 1 where it may begin a suspect. It answers with the entries, with the ms after which the next owner may count
# as dead, and with how many entries the dead have left.
TAKE_OVER = Script(
    GAPS
    + """
    local group, me, lease, room = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
    local ended = gap_ended(KEYS[2], lease)
    local function left(name)
        return math.max(ended, tonumber(redis.call('ZSCORE', KEYS[2], name) or 0)) + lease - now
    end
    local taken, suspects, wait, more = {}, {}, lease, 0
    local function claim(p)
        local entry = redis.call('XCLAIM', KEYS[1], group, me, 0, p[1])[1]
        if entry then taken[#taken + 1] = {entry[1], entry[2], p[4] + 1} end
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

# Answers 0 where somebody has removed the group on purpose: it was not lost. KEYS are the stream, and the sorted set of
# the groups that are gone; ARGV is the group.
MAKE_GROUP = Script(
    EVEN_WHEN_FULL
    + """
    if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
    redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
    return 1
    """
)

# What the server handed to an instance that never got it, as a connection broke: what it owns, without counting it as
# delivered once more, as XREADGROUP would. KEYS is the stream; ARGV are the group, the instance, from which id on, and
# how many.
OWNED = Script(
    """
    local found = {}
    for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], '+', ARGV[4], ARGV[2])) do
        local entry = redis.call('XRANGE', KEYS[1], p[1], p[1])[1]
        found[#found + 1] = {p[1], entry and entry[2] or false, p[4]}
    end
    return found
    """
)

# What an instance that stops leaves undone was not finished for no fault of its own: this delivery does not count. KEYS
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

# Asked after a pause in which the entry may have been taken: if it was not, the heartbeat makes sure that it will not
# be. KEYS are the stream and the registry; ARGV are the group, the instance, its lease in ms and the entry.
CONFIRM = Script(
    GAPS
    + """
    gap_ended(KEYS[2], tonumber(ARGV[3]))
    local mine = #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[4], ARGV[4], 1, ARGV[2])
    if mine == 1 then redis.call('ZADD', KEYS[2], now, ARGV[2]) end
    return mine
    """
)
