"""The atomic steps on the record of a background task, its history and its queue; `TaskRecord` runs them.

The keys are those of `TaskRecord`: the record, the history, and the runs that were asked for.
"""

from __future__ import annotations

from daebus.connection.scripts import LEASE_OF, NOW, Script

__all__ = ["ASK", "RELEASE", "RENEW"]

# After `NOW`, with `key`, `runs`, `pause_after` and `history`. The run is that of the record unless it is given.
_FINISH = """
local function text(value) return string.format('%.0f', value) end
local function put(field, value) redis.call('HSET', key, field, text(value)) end
local function number(field) return tonumber(redis.call('HGET', key, field) or 0) or 0 end
local function finish(run, outcome, reason)
    redis.call('HDEL', key, 'owner', 'until', 'seen', 'scheduled', 'begun', 'by', 'who')
    put('ended', now)
    local stopped = 0
    if outcome == 'succeeded' then
        redis.call('HDEL', key, 'failures')
        if run.scheduled > number('previous') then put('previous', run.scheduled) end
    elseif outcome ~= 'cancelled' then
        local failures = number('failures') + 1
        put('failures', failures)
        if pause_after > 0 and failures >= pause_after and not redis.call('HGET', key, 'paused') then
            redis.call('HSET', key, 'paused', text(now), 'paused_by', 'pause_after')
            stopped = failures
        end
    end
    if history > 0 then
        redis.call('XADD', runs, 'MAXLEN', history, '*', 'token', text(run.fence), 'scheduled', text(run.scheduled),
            'begun', text(run.begun), 'ended', text(now), 'outcome', outcome, 'by', run.by, 'who', run.who,
            'instance', run.owner, 'reason', reason)
    end
    return stopped
end
"""

# An instance that was there before and finds no record knows that the server lost its data. A run may still be going
# on, and gets half a lease to renew. If the owner asks while the record has it as owner with a fence that it does not
# know, the answer to its own claim was lost: that claim is won again.
#
# An owner is judged by its own lease, with which its id ends: in a rolling change of the lease the others may have
# another one. During a run, the owner and all instances that wait for its end ask every third of that. If none of them
# did for half of it, the server hung or was away, and this question may stand before the owner's renewal in the queue
# of the server. Or its clock was set. Then the owner gets a whole lease to renew, and never more than that, as a clock
# that is set back would give it; lease_scripts.py has the reasoning.
ASK = Script(
    NOW
    + LEASE_OF
    + """
local key, runs, wanted = KEYS[1], KEYS[2], KEYS[3]
local me, lease = ARGV[1], tonumber(ARGV[2])
local expected, due, watched, latest = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known, target, missed, mark = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local stale, period, basis = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13]
local pause_after, history = tonumber(ARGV[14]), tonumber(ARGV[15])
"""
    + _FINISH
    + """
local record = redis.call('HMGET', key, 'last', 'owner', 'until', 'seen', 'fence', 'scheduled', 'begun', 'by', 'who')
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

local run = {
    fence = tonumber(record[5]) or 0, scheduled = tonumber(record[6]) or last, begun = tonumber(record[7]) or last,
    by = record[8] or 'schedule', who = record[9] or '', owner = owner,
}
local held = owner and owner ~= me and not (expires <= now and expires == watched)
local gone, stopped = '', 0
if owner and owner ~= me and owner ~= '-' and not held then
    gone = owner
    stopped = finish(run, 'interrupted', 'its instance vanished')
end
local state = redis.call('HMGET', key, 'ended', 'resumed', 'paused', 'previous')
local ended, resumed, paused = tonumber(state[1] or 0), tonumber(state[2] or 0), tonumber(state[3] or 0)
local won, counted, begun = false, 0, now
if owner == me and run.fence ~= known then
    won = true
elseif not held then
    local fits = last == expected and (basis == '' or basis == text(ended) .. ' ' .. text(resumed))
    if fits and paused == 0 and due > 0 and due <= now and (stale == 0 or now < stale) then
        won, run.scheduled, run.by, run.who = true, target > 0 and target or due, 'schedule', ''
        counted = missed + (period > 0 and math.floor((now - due) / period) or 0)
        last = mark > 0 and mark or now
        if counted > 0 then put('missed', number('missed') + counted) end
    else
        local item = redis.call('LPOP', wanted)
        if item then
            local by, scheduled, who = string.match(item, '^(%S+) (%d+) ?(.*)$')
            won, run.by, run.scheduled, run.who = true, by or 'trigger', tonumber(scheduled or now), who or ''
        end
    end
end
local fence = 0
if won then
    fence = math.max(now, 1 + (tonumber(record[5]) or 0))
    redis.call('HSET', key, 'owner', me, 'by', run.by, 'who', run.who)
    for field, value in pairs({
        fence = fence, last = last, ['until'] = now + lease, seen = now, scheduled = run.scheduled, begun = now,
    }) do put(field, value) end
end
return {
    won and 1 or 0, now, last, held and expires or 0, own, fence, lost and 1 or 0, run.scheduled, run.by, run.who,
    tonumber(state[4] or 0), ended, resumed, paused, counted, gone, stopped,
}
"""
)

RENEW = Script(
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

# This command may be executed late, when its connection is gone and the same instance has begun the next run. A record
# without a fence was lost during the run.
RELEASE = Script(
    NOW
    + """
local key, runs, wanted = KEYS[1], KEYS[2], KEYS[3]
local record = redis.call('HMGET', key, 'owner', 'fence')
local was_lost = not record[2] and (not record[1] or record[1] == '-')
if not was_lost and (record[1] ~= ARGV[1] or record[2] ~= ARGV[3]) then return {0, 0} end
redis.call('HSET', key, 'fence', ARGV[3])
local outcome, reason, missed = ARGV[4], ARGV[5], tonumber(ARGV[10])
local pause_after, history = tonumber(ARGV[11]), tonumber(ARGV[12])
"""
    + _FINISH
    + """
local stopped = 0
if outcome == 'returned' then
    redis.call('HDEL', key, 'owner', 'until', 'seen', 'scheduled', 'begun', 'by', 'who')
    if missed > 0 then put('missed', math.max(0, number('missed') - missed)) end
    if ARGV[8] ~= 'schedule' then redis.call('RPUSH', wanted, ARGV[8] .. ' ' .. ARGV[6] .. ' ' .. ARGV[9]) end
else
    local run = {
        fence = tonumber(ARGV[3]), scheduled = tonumber(ARGV[6]), begun = tonumber(ARGV[7]), by = ARGV[8],
        who = ARGV[9], owner = ARGV[1],
    }
    stopped = finish(run, outcome, reason)
end
redis.call('HSET', key, 'last', ARGV[2])
return {1, stopped}
"""
)
