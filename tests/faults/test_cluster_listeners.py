"""Listeners that are renamed and handed over where the channel and the service lie in other slots of a cluster."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.support import until

from daebus import Channel, Daebus, Settings
from daebus.channels.listener_groups import ListenerGroups
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.connection.session import key_slot
from daebus.errors import NotFound, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.operations.handing_over import ListenerChanges
from daebus.testing import RunningService, running

from .clusters import Cluster


class Placed(msgspec.Struct):
    number: int


ORDERS = Channel[Placed]("orders", durable=True)


class Shop:
    """The service, with one listener."""

    def __init__(self, name: str, *, renamed_from: str = "a", fails: bool = False) -> None:
        self.heard: list[int] = []
        self.tried = 0
        self.app = Daebus("shop", settings=Settings(lease=1.0))

        @self.app.listen(ORDERS, name=name, start="latest", renamed_from=renamed_from, retries=1, backoff=0.01)
        async def on_order(event: Placed) -> None:
            self.tried += 1
            if fails:
                raise Unavailable("away") if event.number % 2 else NotFound("gone")
            self.heard.append(event.number)


async def publish(service: RunningService, *numbers: int) -> None:
    for number in numbers:
        await service.publish(ORDERS, Placed(number))


async def test_listeners_are_renamed_and_handed_over_on_a_cluster(tmp_path: Path) -> None:
    assert key_slot("daebus:{shop}:dead") != key_slot("daebus:channel:{orders}")
    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        await _check(cluster.url)
    finally:
        cluster.kill()


async def test_many_listeners_share_one_connection_to_each_node(tmp_path: Path) -> None:
    names = [f"many_{number}" for number in range(30)]
    heard: dict[str, list[int]] = {name: [] for name in names}
    app = Daebus("many")
    for name in names:
        _listen(app, name, heard[name])
    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        url = f"{cluster.url}?client_name=many"
        async with running(Daebus("other"), redis_url=cluster.url) as other, running(app, redis_url=url):
            for number in range(10):
                for name in names:
                    await other.publish(Channel[int](name, durable=True), number)
            await until(lambda: all(len(numbers) >= 10 for numbers in heard.values()))
            of_nodes = [engine.ask("CLIENT LIST").count(b" name=many ") for engine in cluster.primaries]
            assert max(of_nodes) <= 8, of_nodes
            moved = key_slot("daebus:channel:{many_0}")
            source = cluster.owner("daebus:channel:{many_0}")
            cluster.move(moved, cluster.primaries[source], cluster.primaries[(source + 1) % 3])
            await other.publish(Channel[int]("many_0", durable=True), 10)
            await until(lambda: 10 in heard["many_0"])
    finally:
        cluster.kill()
    assert heard == {name: [*range(11 if name == "many_0" else 10)] for name in names}


def _listen(app: Daebus, channel: str, heard: list[int]) -> None:
    @app.listen(Channel[int](channel, durable=True), name=channel, start="earliest")
    async def hear(number: int) -> None:
        heard.append(number)


async def _check(url: str) -> None:
    first, second = Shop("a", renamed_from="none", fails=True), Shop("b")
    async with (
        open_node(RedisServer.from_url(url)) as node,
        running(Daebus("other"), redis_url=url) as other,
    ):
        groups, letters = ListenerGroups(node, "shop"), DeadLetters(node, "shop")
        async with running(first.app, redis_url=url) as service:
            await publish(service, 1, 2)
            await until(lambda: node.link.execute("XLEN", "daebus:{shop}:dead"))
        async with running(second.app, redis_url=url) as service:
            await publish(service, 3)
            await until(lambda: 3 in second.heard)
            async for letter in letters.all():
                assert await letters.replay(letter)
            await until(lambda: {2, 3} <= set(second.heard))
            assert [(one.listener, one.group) for one in await groups.all()] == [("b", "shop:a")]
        await publish(other, 4, 5)
        third = Shop("c", renamed_from="none")
        async with running(third.app, redis_url=url) as service:
            await publish(service, 6)
            await until(lambda: third.heard == [6])
            _, moved = await ListenerChanges(node, "shop").hand_over("orders", "b", "c")
            assert moved == 2
            await until(lambda: len(third.heard) >= 3)
        assert sorted(third.heard) == [4, 5, 6]
        assert sorted(second.heard) in ([1, 2, 3], [2, 3])
