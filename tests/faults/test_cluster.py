"""A cluster of three primaries and three replicas, in processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.engines import Engine
from tests.support import until

from daebus import Action, Daebus, Settings
from daebus.connection.cluster import open_link
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.connection.session import key_slot
from daebus.errors import Conflict, StartupError, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.protocol.messages import action_stream, delayed_entries, partition_of
from daebus.testing import running

from .clusters import Cluster
from .world import open_world, told

WORK = Action[int, int]("work", service="hot")
PARTITIONS = 6


async def test_a_service_works_on_a_cluster_and_follows_its_slots(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        await cluster.start()
        await check_a_slot_that_moves(cluster)
        await check_partitions(cluster)
        async with open_world(cluster.url) as world:
            for number in range(20):
                await world.works(number)
            home = cluster.owner("{faulty}")
            with told() as lines:
                cluster.primaries[home].freeze()
                await world.fails()
                await until(cluster.replicas[home].is_primary, 15)
                assert await world.comes_back() < 5
            assert "TRACEBACK" not in lines
            assert len(lines) < 16, lines
    finally:
        cluster.kill()


async def check_a_slot_that_moves(cluster: Cluster) -> None:
    key = "daebus:{mover}:x"
    slot, source = key_slot(key), cluster.owner(key)
    giver, taker = cluster.primaries[source], cluster.primaries[(source + 1) % 3]
    link = open_link(RedisServer.from_url(cluster.url))
    await link.start()
    try:
        assert await link.execute("XADD", key, "1-1", "a", "b") == b"1-1"
        taker.ask(f"CLUSTER SETSLOT {slot} IMPORTING {cluster.id(giver)}")
        giver.ask(f"CLUSTER SETSLOT {slot} MIGRATING {cluster.id(taker)}")
        giver.ask(f"MIGRATE 127.0.0.1 {taker.port} {key} 0 5000")
        assert await link.execute("XLEN", key) == 1  # ASK
        for one in (taker, giver):
            one.ask(f"CLUSTER SETSLOT {slot} NODE {cluster.id(taker)}")
        assert await link.execute("XLEN", key) == 1  # MOVED
    finally:
        await link.close()


async def check_partitions(cluster: Cluster) -> None:
    """The partitions of one service lie on all the servers, and everything works in each of them."""
    owners = [cluster.owner(f"daebus:{{{partition_of('hot', number)}}}:x") for number in range(PARTITIONS)]
    assert set(owners) == {0, 1, 2}
    app, done = Daebus("hot", settings=Settings(partitions=PARTITIONS)), list[int]()
    failures: list[Exception] = []

    @app.action(WORK, backoff=0.02)
    async def work(number: int) -> int:
        if failures:
            raise failures.pop()
        done.append(number)
        return number

    async with running(app, redis_url=cluster.url) as service, open_node(RedisServer.from_url(cluster.url)) as node:

        async def nothing_left() -> bool:
            names = [partition_of("hot", number) for number in range(PARTITIONS)]
            streams = [await node.link.execute("XLEN", action_stream(name, "work")) for name in names]
            return not any(streams) and not any([await node.link.execute("ZCARD", delayed_entries(n)) for n in names])

        asked = [service.bus.call(WORK, key, idempotency_key=f"key-{key}") for key in range(24) for _ in range(2)]
        assert await asyncio.gather(*asked) == [key for key in range(24) for _ in range(2)]
        failures = [Unavailable("away") for _ in range(PARTITIONS)]
        for number in range(24, 24 + PARTITIONS):
            await service.bus.send(WORK, number)
        await until(nothing_left)
        failures = [Conflict("taken") for _ in range(PARTITIONS)]
        for number in range(30, 30 + PARTITIONS):
            await service.bus.send(WORK, number, idempotency_key=f"key-{number}")
        await until(nothing_left)
        letters = DeadLetters(node, "hot")
        found = [letter async for letter in letters.all()]
        assert len(found) == PARTITIONS
        for letter in found:
            assert await letters.replay(letter)
            assert not await letters.replay(letter)
        await until(lambda: len(done) == 24 + 2 * PARTITIONS)
        await until(nothing_left)
    assert sorted(done) == [*range(24 + PARTITIONS), *range(30, 30 + PARTITIONS)]
    for primary in cluster.primaries:
        assert b":action:work" in primary.ask("KEYS daebus:{hot*")


async def test_a_server_alone_is_no_cluster(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine, pytest.raises(StartupError, match="None of the hosts"):
        await RedisServer.from_url(engine.tcp_url.replace("redis:", "redis+cluster:")).check()
