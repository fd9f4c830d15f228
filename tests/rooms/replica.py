"""A replica of the service of the tests in a process of its own, which can be killed."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.rooms.test_rooms import TIMINGS, app_of

from daebus.testing import running


async def serve() -> None:
    """Print the port, and serve until the end."""
    async with running(app_of(), redis_url=os.environ["DAEBUS_REDIS_URL"], timings=TIMINGS) as service:
        sys.stdout.write(f"port {service.ports['http']}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
