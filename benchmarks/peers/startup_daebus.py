"""daebus from nothing to its first reply: on the server of ``DAEBUS_REDIS_URL``, else on an engine of its own."""

import asyncio
import os
import signal
import time

from driving import say

from daebus import Bus, Daebus
from daebus.errors import DaebusError

app = Daebus("startup")
asking = set()


@app.action("greet")
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@app.on_start()
async def start_asking(*, bus: Bus) -> None:
    asking.add(asyncio.create_task(ask(bus)))


async def ask(bus: Bus) -> None:
    while True:
        try:
            await bus.call(greet, "Ada", timeout=1.0)
        except DaebusError:
            await asyncio.sleep(0.005)
        else:
            break
    say({"seconds": time.monotonic() - float(os.environ["BENCH_STARTED"])})
    os.kill(os.getpid(), signal.SIGTERM)


app.run()
