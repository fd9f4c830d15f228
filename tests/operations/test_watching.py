"""Watching a channel: each event comes once, from the time of the watching on, and no listener is left behind."""

from __future__ import annotations

from typing import Any

import pytest

from daebus import Channel, Daebus
from daebus.operations.watching import events
from daebus.protocol.messages import channel_stream
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


@pytest.mark.parametrize("durable", [False, True])
async def test_events_come_in_order_from_now_on(redis: Any, durable: bool) -> None:
    channel, url = Channel[int]("news", durable=durable), private_redis_url()
    async with running(Daebus("newsroom")) as bus:
        await bus.publish(channel, 0)
        async with events(url, "news", durable=durable) as found:
            for number in range(1, 250):
                await bus.publish(channel, number)
            assert [int(await anext(found)) for _ in range(1, 250)] == [*range(1, 250)]
    groups: list[object] = await redis.xinfo_groups(channel_stream("news")) if durable else []
    assert groups == []
    assert await redis.pubsub_numsub("news") == [(b"news", 0)]
