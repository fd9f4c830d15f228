"""Headers of plain events on a cluster: they come ahead of their event there, too."""

from __future__ import annotations

from pathlib import Path

from tests.support import until

from daebus import Bus, Channel, Context, Daebus
from daebus.testing import running

from .clusters import Cluster

# Their slots lie on different primaries.
CHANNELS = [Channel[int](name) for name in ("a", "b", "c", "told")]


async def test_each_event_has_its_own_headers_whichever_node_has_its_channel(tmp_path: Path) -> None:
    heard: list[tuple[str, int, str | None]] = []
    app = Daebus("listener")

    for channel in CHANNELS:

        @app.listen(channel)
        async def on_event(number: int, context: Context) -> None:
            heard.append((context.handler, number, context.headers.get("n")))

    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        async with running(app, redis_url=cluster.url), Bus(cluster.url) as bus:
            for number in range(40):
                for channel in CHANNELS:
                    await bus.publish(channel, number, headers={"n": str(number)} if number % 2 else None)
            await until(lambda: len(heard) == 40 * len(CHANNELS))
    finally:
        cluster.kill()
    for _, number, named in heard:
        assert named == (str(number) if number % 2 else None)
