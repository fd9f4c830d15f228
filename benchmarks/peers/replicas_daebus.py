"""daebus: a handler that waits 5 ms, four at a time in each replica. Arguments: serve or drive, URL, name, replicas."""

import asyncio
import os
import sys

from driving import drive, main

from daebus import Action, Bus, Daebus
from daebus.errors import DaebusError

SERVICE, REPLICAS = sys.argv[3], int(sys.argv[4])
WAIT = Action[None, int]("wait", service=SERVICE)


def build() -> Daebus:
    app = Daebus(SERVICE)

    @app.action(WAIT, concurrency=4)
    async def wait() -> int:
        await asyncio.sleep(0.005)
        return os.getpid()

    return app


async def drive_it(url: str) -> None:
    async with Bus(url) as bus:
        seen = set()
        while len(seen) < REPLICAS:
            answers = await asyncio.gather(*(bus.call(WAIT) for _ in range(64)), return_exceptions=True)
            seen.update(answer for answer in answers if not isinstance(answer, DaebusError))
            await asyncio.sleep(0.1)
        await drive({"call": lambda: bus.call(WAIT), "send": lambda: bus.send(WAIT)})


if sys.argv[1] == "serve":
    os.environ["DAEBUS_REDIS_URL"] = sys.argv[2]
    build().run()
else:
    main(drive_it, drive_it)
