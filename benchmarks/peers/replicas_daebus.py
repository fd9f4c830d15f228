"""daebus: a handler that waits 5 ms, four at a time in each replica; the runner starts one replica or more."""

import asyncio
import os
import sys

from driving import drive, main

from daebus import Action, Bus, Daebus

SERVICE = sys.argv[3]
WAIT = Action[None, str]("wait", service=SERVICE)


def build() -> Daebus:
    app = Daebus(SERVICE)

    @app.action(WAIT, concurrency=4)
    async def wait() -> str:
        await asyncio.sleep(0.005)
        return "done"

    return app


async def drive_it(url: str) -> None:
    async with Bus(url) as bus:
        await drive({"call": lambda: bus.call(WAIT), "send": lambda: bus.send(WAIT)})


if sys.argv[1] == "serve":
    os.environ["DAEBUS_REDIS_URL"] = sys.argv[2]
    build().run()
else:
    main(drive_it, drive_it)
