"""Idempotency keys: requests for an action with the same key run once, and all get the same reply.

A key belongs to the entry that runs for it, and so to the instance that owns the entry. If this instance dies, another
one takes over the entry together with its key. Other requests with the key are parked meanwhile. An instance that was
only frozen, and wakes up after that, can no longer end the run: the server refuses its outcome.
"""

from __future__ import annotations

import hashlib
from typing import Literal, cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument
from daebus.connection.scripts import NOW, Script
from daebus.errors import Conflict
from daebus.payloads.codec import encode
from daebus.protocol.fences import DRAW, fence_counter
from daebus.protocol.messages import Request, decode_request, idempotent_run, parked_requests, service_of

from .lease_scripts import IS_MINE
from .leases import Entry
from .retries import Origin

__all__ = ["MAX_KEY", "KeyedRun", "Outcome"]

MAX_KEY = 255
"""The longest idempotency key, in characters."""

_RUNNING_MS = 86_400_000
"""How much longer than its replies a key is kept if it is never settled, in ms."""

_ANSWER_MS = 60_000
"""How long the parked requests are kept after the outcome was stored, at most: its answer may be asked for again."""

_Stored = tuple[bytes, bytes, bytes, list[bytes]]

# KEYS are the run, the parked requests and the stream; ARGV begins with the group, the entry's id, the instance and the
# number of deliveries. Each step is refused if the entry is no longer with this delivery.
_IF_MINE = (
    IS_MINE
    + """
    local me = ARGV[2]
    local mine = is_mine(KEYS[3], ARGV[1], me, ARGV[3], ARGV[4])
"""
)
# KEYS has the counter of the fences, too. The answer to a claim has the number of the run.
_CLAIM = Script(
    NOW
    + DRAW
    + _IF_MINE
    + """
    local payload = ARGV[5]
    local run = redis.call('HMGET', KEYS[1], 'payload', 'status', 'reply', 'entry')
    if not mine then return {#redis.call('XRANGE', KEYS[3], me, me) == 1 and 'lost' or 'parked'} end
    if run[1] and run[1] ~= payload then return {'conflict'} end
    if run[2] then return {'done', run[2], run[3]} end
    local runs = run[4] and run[4] ~= me and #redis.call('XRANGE', KEYS[3], run[4], run[4]) == 1
    if not runs then
        redis.call('HSET', KEYS[1], 'payload', payload, 'entry', me)
        redis.call('PEXPIRE', KEYS[1], ARGV[7])
        return {'mine', draw(KEYS[4])}
    end
    redis.call('RPUSH', KEYS[2], ARGV[6])
    redis.call('PEXPIRE', KEYS[2], ARGV[7])
    redis.call('XACK', KEYS[3], ARGV[1], me)
    redis.call('XDEL', KEYS[3], me)
    return {'parked'}
    """
)
# The answer may be lost, and the step sent again: then the outcome is there already, and was stored by this delivery.
# So the parked requests are not deleted, but expire.
_STORE = Script(
    _IF_MINE
    + """
    local by = me .. ' ' .. ARGV[3] .. ' ' .. ARGV[4]
    local run = redis.call('HMGET', KEYS[1], 'status', 'reply', 'entry', 'by')
    if run[4] ~= by then
        if not mine or (run[3] or me) ~= me then return {'lost'} end
        if not run[1] then
            run[1], run[2] = ARGV[6], ARGV[7]
            redis.call('HSET', KEYS[1], 'payload', ARGV[5], 'status', run[1], 'reply', run[2])
            redis.call('HDEL', KEYS[1], 'entry')
            redis.call('PEXPIRE', KEYS[1], ARGV[8])
        end
        redis.call('HSET', KEYS[1], 'by', by)
        redis.call('PEXPIRE', KEYS[2], math.min(ARGV[8], ARGV[9]))
        redis.call('XACK', KEYS[3], ARGV[1], me)
        redis.call('XDEL', KEYS[3], me)
    end
    return {'kept', run[1], run[2], redis.call('LRANGE', KEYS[2], 0, -1)}
    """
)
# The next parked request runs instead, and the others wait for it.
_RELEASE = Script(
    _IF_MINE
    + """
    if not mine or redis.call('HGET', KEYS[1], 'entry') ~= me then return 0 end
    local next = redis.call('LINDEX', KEYS[2], 0)
    if next then
        local entry = redis.call('XADD', KEYS[3], '*', 'request', next)
        redis.call('HSET', KEYS[1], 'entry', entry)
        redis.call('LPOP', KEYS[2])
    else
        redis.call('DEL', KEYS[1])
    end
    return 1
    """
)


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of a run: the `status` and the `payload` of its reply, still JSON."""

    status: str
    payload: msgspec.Raw


class KeyedRun:
    """The run for a request with an idempotency key.

    Args:
        node: This process.
        origin: The action.
        entry: The request's entry.
        request: The request.

    Attributes:
        drawn: The number of the run, for its fence; larger than that of any run for the key before; 0: not claimed.
    """

    def __init__(self, node: Node, origin: Origin, entry: Entry, request: Request) -> None:
        key, partition, action = request.idempotency_key or "", origin.partition, origin.name
        self._node = node
        self._title = f"{service_of(partition)}.{action}"
        self._keys = [idempotent_run(partition, action, key), parked_requests(partition, action, key), origin.stream]
        self._counter = fence_counter(origin.registry)
        self._entry = entry
        self._ids: tuple[Argument, ...] = (origin.group, entry.id, node.id, entry.deliveries)
        self.drawn: int = 0
        self._request = request
        self._payload = _digest(action, request.payload)
        self._keep_ms = int(origin.policy.keep_replies * 1000)

    async def claim(self) -> Literal["mine", "parked", "lost"] | Outcome:
        """Claim the key for this entry. Otherwise the entry is settled: parked, or with the outcome of the earlier run.

        ``"lost"``: another instance has taken the entry over.

        Raises:
            Conflict: The key was used with another payload.
        """
        args = (*self._ids, self._payload, encode(self._request), self._keep_ms + _RUNNING_MS)
        match cast("list[bytes | int]", await self._node.insist(_CLAIM, [*self._keys, self._counter], args)):
            case [b"mine", int(drawn)]:
                self.drawn = drawn
                return "mine"
            case [b"done", bytes(status), bytes(payload)]:
                return Outcome(status.decode(), msgspec.Raw(payload))
            case [b"conflict"]:
                key = self._request.idempotency_key
                raise Conflict(f"The idempotency key {key!r} was used for {self._title} with another payload")
            case [b"parked"]:
                return "parked"
            case _:
                return "lost"

    async def store(self, outcome: Outcome) -> tuple[Outcome, list[Request]] | None:
        """Store the outcome of the run, and settle its entry.

        Returns:
            The outcome to reply with, and the parked requests, which get the same reply; None: nothing was stored, as
            another instance has taken over the entry, or the key.
        """
        self._entry.is_ending = True
        args = (*self._ids, self._payload, outcome.status, bytes(outcome.payload), self._keep_ms, _ANSWER_MS)
        answer = cast("_Stored | list[bytes]", await self._node.insist(_STORE, self._keys, args))
        if answer[0] != b"kept":
            return None
        _, status, payload, parked = cast("_Stored", answer)
        return Outcome(status.decode(), msgspec.Raw(payload)), [decode_request(body) for body in parked]

    async def release(self) -> None:
        """Let the next request with the key run, because this run failed or is no longer wanted."""
        self._entry.is_ending = True
        await self._node.insist(_RELEASE, self._keys, self._ids)


def _digest(action: str, payload: msgspec.Raw) -> str:
    """A digest of the payload that does not depend on the order of the keys of its objects."""
    try:
        canonical = msgspec.json.encode(msgspec.json.decode(payload), order="sorted")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        canonical = bytes(payload)
    return hashlib.sha256(action.encode() + b"\0" + canonical).hexdigest()
