"""The scripts of rooms. Each runs in one step, so that messages, members and positions agree.

A message on the channel of a room is one line: its kind, the epoch, a number, and what it says.

- ``m``: a message. The number is its offset. It says who does not get it, as JSON, then the envelope.
- ``p``: a change of the members. The number counts the changes. It says the change, as JSON.
- ``t``: a message to some members, which is not kept; the number is 0. It says who gets it, as JSON, then the envelope.
- ``v``: a message that is not kept; the number is 0. It says who does not get it, as JSON, then the envelope.
- ``r``: remove a member; the number is 0. It says the id of the client.
"""

from __future__ import annotations

from daebus.connection.scripts import EVEN_WHEN_FULL, NOW, Script

__all__ = ["BEAT", "DECLARE", "DECLARED", "JOIN", "LEAVE", "LIVE", "LOOK", "MEMBERS", "READ", "REAP", "SEND"]

_EPOCH = """
    local epoch = redis.call('HGET', KEYS[1], 'epoch')
    if not epoch then
        epoch = ARGV[1]
        redis.call('HSET', KEYS[1], 'epoch', epoch)
        redis.call('DEL', KEYS[2])
    end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    local function publish(kind, number, said)
        redis.call(ARGV[4], ARGV[3], string.format('%s %s %.0f ', kind, epoch, number) .. said)
    end
"""

# KEYS are the state and the history. ARGV are an epoch if there is none; for how long the state is kept, in ms; the
# channel; the command that publishes; how many messages are kept; for how long, in ms; who does not get it; the
# envelope; and how many bytes of envelopes are kept. The last message is kept, however large it is.
SEND = Script(
    _EPOCH
    + """
    local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
    if tonumber(ARGV[5]) > 0 then
        local held = redis.call('EXISTS', KEYS[2]) == 1 and tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0) or 0
        held = held + #ARGV[8]
        redis.call('XADD', KEYS[2], string.format('%.0f-0', offset), 'but', ARGV[7], 'm', ARGV[8])
        local count = redis.call('XLEN', KEYS[2])
        while count > 1 and (count > tonumber(ARGV[5]) or held > tonumber(ARGV[9])) do
            local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
            redis.call('XDEL', KEYS[2], oldest[1])
            count, held = count - 1, held - #oldest[2][4]
        end
        redis.call('HSET', KEYS[1], 'bytes', held)
        redis.call('PEXPIRE', KEYS[2], ARGV[6])
    end
    publish('m', offset, ARGV[7] .. ' ' .. ARGV[8])
    return {epoch, offset}
    """
)

_READ = """
    local function messages(since, latest)
        local top = tonumber(redis.call('HGET', KEYS[1], 'offset') or 0)
        local found = {}
        if since then
            found = redis.call('XRANGE', KEYS[2], string.format('(%.0f-0', since), string.format('%.0f-0', top))
        elseif latest then
            found = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
        end
        return top, found
    end
"""

# KEYS are the state, the history, and the members. ARGV[1] to ARGV[4] are those of SEND; then the client; the member as
# JSON, or an empty text if members see nothing of each other; the epoch and the offset of the last message that the
# client got, or two empty texts; whether it gets the latest one; and whether the members are told of it in any case.
# The reply has the epoch, the offset, the number of the last change, the members by their clients, and the messages.
# It publishes before it adds the member: where it may not publish, there is no member of whom nobody is told.
JOIN = Script(
    _EPOCH
    + _READ
    + """
    local change = tonumber(redis.call('HGET', KEYS[1], 'change') or 0)
    local before = redis.call('HGET', KEYS[3], ARGV[5])
    if ARGV[6] ~= '' and (before ~= ARGV[6] or ARGV[10] == '1') then
        publish('p', change + 1, '{"joined":[' .. ARGV[6] .. ']}')
        change = redis.call('HINCRBY', KEYS[1], 'change', 1)
    end
    redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
    redis.call('PEXPIRE', KEYS[3], ARGV[2])
    local since = ARGV[7] == epoch and tonumber(ARGV[8]) or nil
    local top, found = messages(since, ARGV[9] == '1')
    return {epoch, top, change, redis.call('HGETALL', KEYS[3]), found}
    """
)

_LEFT = """
    local function left(members)
        local told = {}
        for _, member in ipairs(members) do
            local data = redis.call('HGET', KEYS[3], member)
            if data then
                redis.call('HDEL', KEYS[3], member)
                if data ~= '' then told[#told + 1] = cjson.encode(member) end
            end
        end
        if #told > 0 then
            local change = redis.call('HINCRBY', KEYS[1], 'change', 1)
            publish('p', change, '{"left":[' .. table.concat(told, ',') .. ']}')
        end
        return #told
    end
"""

# KEYS are those of JOIN; ARGV are those of JOIN, up to the client.
LEAVE = Script(EVEN_WHEN_FULL + _EPOCH + _LEFT + "return left({ARGV[5]})")

# The members of an instance that is gone. KEYS and ARGV are those of LEAVE, with the instance instead of the client.
REAP = Script(
    EVEN_WHEN_FULL
    + _EPOCH
    + _LEFT
    + """
    local gone, prefix = {}, ARGV[5] .. '-'
    for _, member in ipairs(redis.call('HKEYS', KEYS[3])) do
        if string.sub(member, 1, #prefix) == prefix then gone[#gone + 1] = member end
    end
    return left(gone)
    """
)

# KEYS are those of JOIN. ARGV are the epoch and the offset up to which messages are known. The reply is that of JOIN,
# with all messages that are kept if the epoch is another one.
READ = Script(
    _READ
    + """
    local epoch = redis.call('HGET', KEYS[1], 'epoch') or ''
    local top, found = messages(epoch == ARGV[1] and tonumber(ARGV[2]) or 0)
    local change = tonumber(redis.call('HGET', KEYS[1], 'change') or 0)
    return {epoch, top, change, redis.call('HGETALL', KEYS[3]), found}
    """
)

# KEYS are those of JOIN. The reply: the epoch, the offset of the last message, how many are kept, and the clients.
LOOK = Script(
    """
    local offset = tonumber(redis.call('HGET', KEYS[1], 'offset') or 0)
    local kept = redis.call('XLEN', KEYS[2])
    return {redis.call('HGET', KEYS[1], 'epoch') or '', offset, kept, redis.call('HKEYS', KEYS[3])}
    """
)

MEMBERS = Script("return redis.call('HGETALL', KEYS[1])")

# KEYS[1] has the instances. ARGV are the ms of a heartbeat, and the instance. The reply: whether the instance was
# unknown or counted as dead, and the instances that are gone. An instance whose own heartbeat comes late does not say
# who is gone: perhaps the server was away, and the others come late, too.
BEAT = Script(
    EVEN_WHEN_FULL
    + NOW
    + """
    local lease = tonumber(ARGV[1])
    local late = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now + 2 * lease, '+inf')  -- the clock was set back
    for _, instance in ipairs(late) do redis.call('ZADD', KEYS[1], now + lease, instance) end
    local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or 0)
    redis.call('ZADD', KEYS[1], now + lease, ARGV[2])
    local gone = {}
    if before - lease / 4 > now then gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now) end
    return {before < now and 1 or 0, gone}
    """
)

# KEYS[1] has the contracts of rooms, by the time at which a service has had a join handler for them. ARGV are names.
DECLARE = Script(
    EVEN_WHEN_FULL
    + NOW
    + """
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600000)
    for _, name in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, name) end
    """
)

DECLARED = Script(NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], now - 3600000, '+inf')")

LIVE = Script(NOW + "return redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')")
