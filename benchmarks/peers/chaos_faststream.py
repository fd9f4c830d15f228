"""FastStream: a stream with a group; one subscriber for what is new, one that claims what was left for two seconds."""

import asyncio
import os
import sys

from breaking import LEASE_MS, send_all, until_stopped, work
from faststream import AckPolicy
from faststream.redis import RedisBroker, StreamSub

AT_ONCE = 256
NAME = str(os.getpid())


async def main() -> None:
    broker = RedisBroker(sys.argv[2], logger=None, max_connections=2_000)
    if sys.argv[1] == "send":
        async with broker:
            await send_all(lambda number: broker.publish(number, stream="chaos"))
        return

    async def handle(number: int) -> None:
        await work(number)

    new = StreamSub("chaos", group="chaos", consumer=NAME, max_records=64)
    left = StreamSub("chaos", group="chaos", consumer=NAME, max_records=64, min_idle_time=LEASE_MS)
    for stream in (new, left):
        broker.subscriber(stream=stream, max_workers=AT_ONCE, ack_policy=AckPolicy.NACK_ON_ERROR)(handle)
    async with broker:
        await broker.start()
        await until_stopped()


asyncio.run(main())
