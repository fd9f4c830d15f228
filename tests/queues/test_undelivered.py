"""Entries that the server delivers to an instance over a connection that the instance has closed already."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import Action, Blueprint, Channel, Daebus
from daebus.core.timings import Timings
from daebus.protocol.messages import action_stream, channel_stream
from daebus.testing import private_redis_url, running

# A read that was left behind on the server: it delivers what has just been added to the consumer of the instance.
_DELIVER = """
redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
local me = redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[3])[1][2]
return redis.call('XREADGROUP', 'GROUP', ARGV[3], me, 'STREAMS', KEYS[1], '>')
"""

STORE = Action[int, None]("store", service="late_reads")
NUMBERS = Channel[int]("late_numbers", durable=True)


@pytest.mark.parametrize("kind", ["action", "listener"])
async def test_what_a_lost_connection_was_given_is_handled_nevertheless(kind: str) -> None:
    stored: list[int] = []
    blueprint = Blueprint("late_reads")

    @blueprint.action(STORE)
    async def store(number: int) -> None:
        await asyncio.sleep(0.1)
        stored.append(number)

    @blueprint.listen(NUMBERS)
    async def heard(number: int) -> None:
        await store(number)

    app = Daebus("late_reads")
    app.register_blueprint(blueprint)
    async with running(app, timings=Timings(recheck=0.02)) as service, raw_redis(private_redis_url()) as redis:
        # The consumers exist once each stream was read.
        await service.bus.send(STORE, 1)
        await service.bus.publish(NUMBERS, 2)
        await until(lambda: sorted(stored) == [1, 2])
        if kind == "action":
            request = msgspec.json.encode({"action": "store", "payload": 3})
            left = action_stream("late_reads", "store"), b"request", request, "daebus"
        else:
            left = channel_stream("late_numbers"), b"event", b"3", "late_reads:late_reads.heard"
        assert await redis.eval(_DELIVER, 1, *left)
        await until(lambda: 3 in stored)
        await service.bus.send(STORE, 4)
        await until(lambda: 4 in stored)
    assert sorted(stored) == [1, 2, 3, 4]
