"""Hostile entries, requests, replies, events and control messages on the bus."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.support import raw_redis, until

from daebus import Action, Bus
from daebus.errors import DaebusError
from daebus.protocol.messages import action_stream, channel_stream, client_channel, control_channel, dead_letters

from .inputs import Hostile
from .target import PATIENCE, Tally, Target

__all__ = ["attack_bus"]

_MINE = "daebus:reply:hostile"
_NOT_ANSWERED = "stolen"
"""A channel of somebody else's, on which nothing of the service may ever be heard."""
_BATCH = 500
_REPLY_TO = (_MINE, "caller:hostile", _NOT_ANSWERED, control_channel("victim"))
_ACTIONS = ("echo", "user", "nothing", "in_thread", "count", "relay")
_USER = {"id": "u1", "age": 36, "tags": ["a"], "address": {"street": "x", "zip": "12345"}, "scores": {"a": 1.5}}
_PAYLOADS: dict[str, object] = {"echo": _USER, "user": _USER, "in_thread": _USER, "count": 3, "relay": "x"}
_EVENT = {"type": "created", "user": _USER}
_ECHO = Action[Any, Any]("echo", service="victim")
_RELAY = Action[str, Any]("relay", service="victim")


async def attack_bus(target: Target, hostile: Hostile, inputs: int) -> Tally:
    """Send that many hostile inputs; an honest call after each batch has to be answered."""
    tally = Tally("bus")
    async with raw_redis(target.redis_url) as redis, Bus(target.redis_url) as bus:
        pubsub = redis.pubsub()
        await pubsub.subscribe(_MINE, "caller:hostile", _NOT_ANSWERED)
        listening = asyncio.create_task(_listen(pubsub, tally))
        attacker = _Attacker(redis, hostile, await _reply_channel(redis, bus))
        started = time.monotonic()
        while tally.inputs < inputs and target.is_alive:
            await attacker.send(min(_BATCH, inputs - tally.inputs))
            tally.inputs += min(_BATCH, inputs - tally.inputs)
            await _probe(bus, tally)
            await _read_dead_letters(redis, tally)
            if tally.inputs <= max(inputs // 10, _BATCH):
                tally.before = target.memory()
        tally.crashes += not target.is_alive
        await pubsub.unsubscribe()  # streams that wait for credit end
        listening.cancel()
        await asyncio.wait({listening})
        await pubsub.aclose()
        await _expect_nothing_left(redis, tally)
        tally.after = await target.settled()
        tally.seconds = time.monotonic() - started
    return tally


class _Attacker:
    def __init__(self, redis: Any, hostile: Hostile, replies: bytes) -> None:
        self._redis = redis
        self._hostile = hostile
        self._replies = replies
        self._ways: tuple[tuple[Callable[[Any], None], int], ...] = (
            (self._request, 60),
            (self._entry, 8),
            (self._control, 8),
            (self._reply, 8),
            (self._event, 8),
            (self._durable_event, 5),
            (self._push, 3),
        )

    async def send(self, count: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        weights = [weight for _, weight in self._ways]
        for way, _ in self._hostile.random.choices(self._ways, weights, k=count):
            way(pipeline)
        await pipeline.execute()

    def _request(self, to: Any) -> None:
        hostile = self._hostile
        action = hostile.random.choice(_ACTIONS)
        request: dict[str, object] = {
            "action": action,
            "payload": _PAYLOADS.get(action),
            "reply_to": hostile.random.choices(_REPLY_TO, (12, 4, 1, 1))[0],
            "request_id": f"r{hostile.random.randrange(1000)}",
            "service": "victim",
            "deadline": int(time.time() * 1000) + 2000,
            "trace_id": "t",
            "credit": hostile.random.choice((0, 1, 256)),
        }
        if hostile.random.random() < 0.2:
            request["idempotency_key"] = f"k{hostile.random.randrange(50)}"
        body = hostile.json(request)
        if hostile.random.random() < 0.4:
            mark = "\x01here\x01"
            whole = json.dumps({**request, "payload": mark}).encode()
            body = whole.replace(json.dumps(mark).encode(), hostile.value(_PAYLOADS.get(action)))
        to.xadd(action_stream("victim", action), {"request": body})

    def _entry(self, to: Any) -> None:
        random = self._hostile.random
        names = ("request", "REQUEST", "", "event", "\x00", "failures", "sent")
        fields = {random.choice(names): self._hostile.noise() for _ in range(random.randint(1, 5))}
        to.xadd(action_stream("victim", random.choice(_ACTIONS)), fields)

    def _control(self, to: Any) -> None:
        random = self._hostile.random
        number = random.choice((b"", b" 1", b" -1", b" " + b"9" * 400, b" x", " ٣".encode(), b" 1 2", b"\xff"))
        to.publish(control_channel("victim"), f"r{random.randrange(1000)}".encode() + number)

    def _reply(self, to: Any) -> None:
        node = self._replies.rpartition(b":")[2].decode()
        request_id = f"{node}-zz{self._hostile.random.randrange(1 << 20):x}"
        reply = {"status": "success", "payload": "forged", "request_id": request_id, "final": True}
        to.publish(self._replies, self._hostile.json(reply))

    def _event(self, to: Any) -> None:
        to.publish("user_events", self._hostile.json(_EVENT))

    def _durable_event(self, to: Any) -> None:
        event = {"event": self._hostile.json(_EVENT), "trace_id": self._hostile.noise()}
        to.xadd(channel_stream("user_log"), event if self._hostile.random.random() < 0.9 else {"x": b"\xff"})

    def _push(self, to: Any) -> None:
        push = {"origin": "x", "target": "nobody", "envelope": {"type": "x", "data": 1}, "reason": ""}
        to.publish(client_channel("victim"), self._hostile.json(push))


async def _reply_channel(redis: Any, bus: Bus) -> bytes:
    """Where the victim itself gets its replies."""
    await bus.call(_ECHO, "x")
    known = set(await redis.pubsub_channels("daebus:reply:*"))
    await bus.call(_RELAY, "x")
    found: set[bytes] = set(await redis.pubsub_channels("daebus:reply:*"))
    return (found - known).pop()


async def _listen(pubsub: Any, tally: Tally) -> None:
    async for message in pubsub.listen():
        if message["type"] != "message":
            continue
        tally.look(message["data"])
        if message["channel"] == _NOT_ANSWERED.encode():
            tally.leaks += 1


async def _probe(bus: Bus, tally: Tally) -> None:
    try:
        answer = await bus.call(_RELAY, f"honest {tally.inputs}", timeout=PATIENCE)
    except DaebusError as error:
        tally.hang(error)
    else:
        if answer != f"honest {tally.inputs}":
            tally.hang(answer)


async def _read_dead_letters(redis: Any, tally: Tally) -> None:
    for _, fields in await redis.xrange(dead_letters("victim")):
        for name, value in fields.items():
            if name not in (b"request", b"event", b"traceback"):  # for whoever looks after the service
                tally.look(value)
    await redis.delete(dead_letters("victim"))


async def _expect_nothing_left(redis: Any, tally: Tally) -> None:
    """Every entry is settled, be it as a dead letter."""
    for action in _ACTIONS:
        try:
            await until(partial(_is_empty, redis, action_stream("victim", action)), PATIENCE)
        except TimeoutError:
            tally.hang(f"{await redis.xlen(action_stream('victim', action))} entries of {action} are left")
    try:
        await until(lambda: _all_handled(redis), PATIENCE)
    except TimeoutError:
        tally.hang(f"durable events are left: {await redis.xinfo_groups(channel_stream('user_log'))}")


async def _is_empty(redis: Any, key: str) -> bool:
    return bool(await redis.xlen(key) == 0)


async def _all_handled(redis: Any) -> bool:
    groups = await redis.xinfo_groups(channel_stream("user_log"))
    return all(group["pending"] == 0 and not group["lag"] for group in groups)
