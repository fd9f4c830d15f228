"""What is sent after the commit, where partitions and channels lie in slots of a cluster."""

from __future__ import annotations

from pathlib import Path

from tests.support import until

from daebus import Action, Bus, Channel, Daebus, Settings
from daebus.testing import running

from .clusters import Cluster

COUNT = Action[int, None]("count", service="shop")
PLACE = Action[None, None]("place", service="shop")
KEPT = Channel[int]("kept", durable=True)


async def test_it_is_taken_once_in_whatever_slot(tmp_path: Path) -> None:
    app, heard = Daebus("shop", settings=Settings(partitions=4)), list[str]()

    @app.action(PLACE)
    async def place(*, bus: Bus) -> None:
        for number in range(8):
            await bus.publish(KEPT, number, after="commit")
            await bus.send(COUNT, number, after="commit")

    @app.action(COUNT)
    async def count(number: int) -> None:
        heard.append(f"request {number}")

    @app.listen(KEPT)
    async def listen(number: int) -> None:
        heard.append(f"event {number}")

    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        async with running(app, redis_url=cluster.url) as service:
            await service.call(PLACE)
            await until(lambda: len(heard) >= 16)
            assert sorted(heard) == sorted(f"{kind} {number}" for kind in ("event", "request") for number in range(8))
    finally:
        cluster.kill()
