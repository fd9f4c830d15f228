"""Idempotency keys: requests for an action with the same key are one. It runs once, and all get its reply.

A key belongs to the entry that runs for it, and so with that entry to whoever owns it: where the owner dies, the entry
is taken over, and the key with it. Further requests are parked meanwhile.
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
"""A key that nobody settles is forgotten so long after its replies would be."""

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
# A run that has been taken over while its first owner was frozen may end twice: the first reply is the reply.
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
# The next one that is parked runs instead, and the others go on waiting, now for it. Not so where another instance has
# taken the entry over, and runs it.
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
    """What a run came to: the `status` and the `payload` of its reply, still JSON."""

    status: str
    payload: msgspec.Raw


class KeyedRun:
    """What runs, or would run, for a request with an idempotency key.

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
        """Run it, if it is mine; if it is parked, it is settled; else settle it with what the earlier run came to.

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
        """Keep what the run came to, and settle its entry.

        Returns:
            What is to be replied, and the requests that were parked, which get the same.
        """
        args = (*self._entry, self._payload, outcome.status, bytes(outcome.payload), self._keep_ms)
        stored = await self._node.insist(_STORE, self._keys, args)
        status, payload, parked = cast("tuple[bytes, bytes, list[bytes]]", stored)
        return Outcome(status.decode(), msgspec.Raw(payload)), [decode_request(body) for body in parked]

    async def release(self) -> None:
        """Let the next request with the key run, as this one failed or is not wanted any more."""
        await self._node.insist(_RELEASE, self._keys, (*self._entry, self._node.id))


def _digest(action: str, payload: msgspec.Raw) -> str:
    """The same for the same payload, in whatever order the keys of its objects stand."""
    try:
        canonical = msgspec.json.encode(msgspec.json.decode(payload), order="sorted")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        canonical = bytes(payload)
    return hashlib.sha256(action.encode() + b"\0" + canonical).hexdigest()
