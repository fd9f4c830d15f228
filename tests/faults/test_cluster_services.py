"""Two replicas of a service, as processes, on a cluster of three primaries: all that daebus offers works there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from redis import RedisCluster
from redis.asyncio import Redis
from tests.chaos.fleet import Fleet
from tests.support import raw_redis, until
from websockets.asyncio.client import ClientConnection, connect

from daebus import Action, Bus, Daebus
from daebus.cli import main
from daebus.errors import NoSuchService, StartupError, Timeout, Unavailable
from daebus.testing import running

from . import cluster_service
from .cluster_service import BREAK, COUNT, FRAGILE, INCREASE, NEWS, WORK, Order
from .clusters import Cluster

PING = Action[int, int]("ping", service="old")


async def ask(client: ClientConnection, kind: str, data: object = None) -> object:
    await client.send(json.dumps({"type": kind, "data": data, "id": 1}))
    while True:
        answer = json.loads(await asyncio.wait_for(client.recv(), 5))
        if answer.get("id") == 1:
            return answer["data"]


async def told(client: ClientConnection) -> int:
    answer = json.loads(await asyncio.wait_for(client.recv(), 5))
    assert answer["type"] == "told"
    return cast("int", answer["data"])


async def cli(*arguments: str) -> list[Any]:
    result = await asyncio.to_thread(CliRunner().invoke, main, [*arguments])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


class World:
    def __init__(self, cluster: Cluster, fleet: Fleet, bus: Bus, redis: Any) -> None:
        self.cluster, self.fleet, self.bus, self._redis = cluster, fleet, bus, redis

    def homes(self) -> set[int]:
        """The primaries that the service and its caller need."""
        replies = [
            one for one in range(3) if b"daebus:reply:" in self.cluster.primaries[one].ask("PUBSUB SHARDCHANNELS")
        ]
        return {self.cluster.owner("{spread}"), *replies}

    def noted(self, kind: str) -> list[str]:
        return [value.decode() for value in self._redis.lrange(f"{{spread}}:noted:{kind}", 0, -1)]


@asynccontextmanager
async def open_world(folder: Path) -> AsyncGenerator[World]:
    cluster = Cluster(folder, with_replicas=False)
    try:
        await cluster.start()
        target = f"{Path(__file__).with_name('cluster_service.py')}:app"
        with Fleet(folder, (sys.executable, "-m", "daebus", "run", target, "--redis-url", cluster.url)) as fleet:
            await asyncio.to_thread(fleet.wait)
            with closing(cast("Any", RedisCluster)(port=cluster.primaries[0].port, host="127.0.0.1")) as redis:
                async with Bus(cluster.url, legacy=True) as bus:
                    yield World(cluster, fleet, bus, redis)
    finally:
        cluster.kill()


async def test_all_that_daebus_offers_works_on_a_cluster(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await check_messages(world)
        await check_dead_letters(world)
        await check_clients(world)
        await check_old_services(world)
        await check_redis_clients(world)
        ticks = [line.split() for line in world.noted("tick")]
        assert all(begin[0] == end[0] for begin, end in zip(ticks[::2], ticks[1::2], strict=False))
        await check_a_hung_node(world)
        await check_take_over(world)


async def check_messages(world: World) -> None:
    bus, url = world.bus, world.cluster.url
    assert [await bus.call(INCREASE, 1, idempotency_key="k") for _ in range(3)] == [1, 1, 1]
    assert await cli("call", "spread", "increase", "1", "--redis-url", url) == [2]
    assert [item async for item in bus.stream(COUNT, 1000)] == [*range(1000)]
    await cli("send", "spread", "work", "1000", "--redis-url", url)
    await until(lambda: "1000" in world.noted("work"))


async def check_dead_letters(world: World) -> None:
    url = world.cluster.url
    await world.bus.call(BREAK, True)
    listening = asyncio.create_task(cli("listen", "fragile", "--durable", "--count", "2", "--redis-url", url))
    sent = 0
    while not listening.done():  # it says nowhere when it listens
        await world.bus.publish(FRAGILE, Order(sent))
        sent += 1
        await asyncio.sleep(0.02)
    assert len(await listening) == 2
    letters: list[Any] = []

    async def died() -> bool:
        letters[:] = await cli("dead", "list", "--json", "spread", "--redis-url", url)
        return len(letters) == sent

    await until(died)
    assert Counter(world.noted("tried")) == {str(number): 2 for number in range(sent)}
    await world.bus.call(BREAK, False)
    assert len(await cli("dead", "replay", "spread", "--all", "--redis-url", url)) == sent
    await until(lambda: sorted(map(int, world.noted("fragile"))) == [*range(sent)])


async def check_clients(world: World) -> None:
    one, two, *_ = (f"ws://127.0.0.1:{replica.port}/ws" for replica in world.fleet.replicas)
    async with connect(one) as first, connect(two) as second:
        second_id = await ask(second, "me")
        assert await ask(first, "whisper", second_id) is True
        assert await told(second) == -1
        assert await ask(first, "whisper", "nobody") is False
        await world.bus.publish(NEWS, Order(7))
        # Both replicas hear it, and each tells the clients of both.
        assert [await told(client) for client in (first, second) for _ in range(2)] == [7] * 4


async def check_old_services(world: World) -> None:
    """They subscribe at the node that they are given, and callers ask all of the nodes."""
    for engine in world.cluster.primaries:
        async with raw_redis(engine.tcp_url) as redis, redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("old")
            await pubsub.get_message(timeout=1)
            serving = asyncio.create_task(serve_as_old(redis, pubsub))
            await until(partial(answers, world.bus, PING), 10)
            serving.cancel()
            await asyncio.wait({serving})


async def serve_as_old(redis: Any, pubsub: Any) -> None:
    async for message in pubsub.listen():
        request = json.loads(message["data"])
        reply = {"status": "success", "payload": 5, "request_id": request["request_id"]}
        await redis.publish(request["reply_to"], json.dumps(reply))


async def check_redis_clients(world: World) -> None:
    """Each kind of server has its kind of client, and who asks for the other is told at the start."""
    app = Daebus("wrong")

    @app.action("get")
    async def get(*, redis: Redis) -> None: ...

    with pytest.raises(StartupError, match=r"get.* needs 'redis'.*is a cluster: take redis_cluster: RedisCluster"):
        async with running(app, redis_url=world.cluster.url):
            pass
    with pytest.raises(StartupError, match=r"needs 'redis_cluster'.*is no cluster: take redis: Redis"):
        async with running(cluster_service.app):
            pass


async def check_a_hung_node(world: World) -> None:
    """Who has nothing to do with it goes on, and who has is told in time; also who comes now."""
    bystander = world.cluster.primaries[next(i for i in range(3) if i not in world.homes())]
    victim = world.cluster.primaries[world.cluster.owner("{spread}")]
    bystander.freeze()
    try:
        began = time.monotonic()
        async with Bus(world.cluster.url) as newcomer:
            await newcomer.send(WORK, -2)
        assert time.monotonic() - began < 5
        assert [await world.bus.call(INCREASE, 1, timeout=2) for _ in range(20)]
    finally:
        bystander.thaw()
    victim.freeze()
    try:
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises((Timeout, Unavailable)):
                await world.bus.call(INCREASE, 1, timeout=0.3)
            assert time.monotonic() - began < 1.5
    finally:
        victim.thaw()
    await until(partial(answers, world.bus, INCREASE), 10)


async def answers(bus: Bus, action: Action[int, int]) -> bool:
    try:
        await bus.call(action, 1, timeout=1)
    except (Timeout, Unavailable, NoSuchService):
        return False
    return True


async def check_take_over(world: World) -> None:
    for number in range(100):
        await world.bus.send(WORK, number)
    killed, *_ = world.fleet.replicas
    os.kill(killed.process.pid, signal.SIGKILL)
    await until(lambda: {*map(str, range(100))} <= {*world.noted("work")}, 15)
