"""FastStream from nothing to its first reply, on a server that runs already."""

import asyncio
import os
import time

from driving import say
from faststream.redis import RedisBroker

broker = RedisBroker(os.environ["DAEBUS_REDIS_URL"], logger=None)


@broker.subscriber("fs-startup")
async def greet(name: str) -> str:
    return f"Hello, {name}!"


async def run() -> None:
    async with broker:
        await broker.start()
        await (await broker.request("Ada", "fs-startup", timeout=5.0)).decode()
        say({"seconds": time.monotonic() - float(os.environ["BENCH_STARTED"])})


asyncio.run(run())
