"""Idempotency keys: requests for an action with the same key run once, and all get the same reply.

A key belongs to the entry that runs for it, and so to the instance that owns the entry. If this instance dies, another
one takes over the entry together with its key. Other requests with the key are parked meanwhile.
"""

from __future__ import annotations

import hashlib
from typing import Literal, cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument
from daebus.connection.scripts import Script
from daebus.errors import Conflict
from daebus.payloads.codec import encode
from daebus.protocol.messages import Request, decode_request, idempotent_run, parked_requests, service_of

from .retries import Origin

__all__ = ["MAX_KEY", "KeyedRun", "Outcome"]

MAX_KEY = 255
"""The longest idempotency key, in characters."""

_RUNNING_MS = 86_400_000
"""How much longer than its replies a key is kept if it is never settled, in ms."""

# KEYS are the run, the parked requests and the stream; ARGV begins with the group and the entry's id.
_CLAIM = Script(
    """
    local me, payload = ARGV[2], ARGV[3]
    local run = redis.call('HMGET', KEYS[1], 'payload', 'status', 'reply', 'entry')
    if run[1] and run[1] ~= payload then return {'conflict'} end
    if run[2] then return {'done', run[2], run[3]} end
    local runs = run[4] and run[4] ~= me and #redis.call('XRANGE', KEYS[3], run[4], run[4]) == 1
    if not runs then
        redis.call('HSET', KEYS[1], 'payload', payload, 'entry', me)
        redis.call('PEXPIRE', KEYS[1], ARGV[5])
        return {'mine'}
    end
    if #redis.call('XRANGE', KEYS[3], me, me) == 1 then
        redis.call('RPUSH', KEYS[2], ARGV[4])
        redis.call('PEXPIRE', KEYS[2], ARGV[5])
        redis.call('XACK', KEYS[3], ARGV[1], me)
        redis.call('XDEL', KEYS[3], me)
    end
    return {'parked'}
    """
)
# A run that was taken over while its first owner was frozen may end twice: the first reply counts.
_STORE = Script(
    """
    local me = ARGV[2]
    local run = redis.call('HMGET', KEYS[1], 'status', 'reply')
    if not run[1] then
        run = {ARGV[4], ARGV[5]}
        redis.call('HSET', KEYS[1], 'payload', ARGV[3], 'status', run[1], 'reply', run[2])
        redis.call('HDEL', KEYS[1], 'entry')
        redis.call('PEXPIRE', KEYS[1], ARGV[6])
    end
    local parked = redis.call('LRANGE', KEYS[2], 0, -1)
    redis.call('DEL', KEYS[2])
    redis.call('XACK', KEYS[3], ARGV[1], me)
    redis.call('XDEL', KEYS[3], me)
    return {run[1], run[2], parked}
    """
)
# The next parked request runs instead, and the others wait for it. This does not happen if another instance has taken
# the entry over and runs it.
_RELEASE = Script(
    """
    if redis.call('HGET', KEYS[1], 'entry') ~= ARGV[2] then return 0 end
    local mine = redis.pcall('XPENDING', KEYS[3], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3])
    if mine.err or #mine == 0 then return 0 end
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
        entry_id: The request's entry.
        request: The request.
    """

    def __init__(self, node: Node, origin: Origin, entry_id: bytes, request: Request) -> None:
        key, partition, action = request.idempotency_key or "", origin.partition, origin.name
        self._node = node
        self._title = f"{service_of(partition)}.{action}"
        self._keys = [idempotent_run(partition, action, key), parked_requests(partition, action, key), origin.stream]
        self._entry: tuple[Argument, Argument] = (origin.group, entry_id)
        self._request = request
        self._payload = _digest(action, request.payload)
        self._keep_ms = int(origin.policy.keep_replies * 1000)

    async def claim(self) -> Literal["mine", "parked"] | Outcome:
        """Claim the key for this entry. Otherwise the entry is settled: parked, or with the outcome of the earlier run.

        Raises:
            Conflict: The key was used with another payload.
        """
        args = (*self._entry, self._payload, encode(self._request), self._keep_ms + _RUNNING_MS)
        match cast("list[bytes]", await self._node.insist(_CLAIM, self._keys, args)):
            case [b"done", status, payload]:
                return Outcome(status.decode(), msgspec.Raw(payload))
            case [b"conflict"]:
                key = self._request.idempotency_key
                raise Conflict(f"The idempotency key {key!r} was used for {self._title} with another payload")
            case [b"parked"]:
                return "parked"
            case _:
                return "mine"

    async def store(self, outcome: Outcome) -> tuple[Outcome, list[Request]]:
        """Store the outcome of the run, and settle its entry.

        Returns:
            The outcome to reply with, and the parked requests, which get the same reply.
        """
        args = (*self._entry, self._payload, outcome.status, bytes(outcome.payload), self._keep_ms)
        stored = await self._node.insist(_STORE, self._keys, args)
        status, payload, parked = cast("tuple[bytes, bytes, list[bytes]]", stored)
        return Outcome(status.decode(), msgspec.Raw(payload)), [decode_request(body) for body in parked]

    async def release(self) -> None:
        """Let the next request with the key run, because this run failed or is no longer wanted."""
        await self._node.insist(_RELEASE, self._keys, (*self._entry, self._node.id))


def _digest(action: str, payload: msgspec.Raw) -> str:
    """A digest of the payload that does not depend on the order of the keys of its objects."""
    try:
        canonical = msgspec.json.encode(msgspec.json.decode(payload), order="sorted")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        canonical = bytes(payload)
    return hashlib.sha256(action.encode() + b"\0" + canonical).hexdigest()
