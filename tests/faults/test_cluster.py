"""A cluster of three primaries and three replicas, in processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.engines import Engine, free_port, start_all
from tests.support import until

from daebus.errors import StartupError
from daebus.transports.cluster import open_link
from daebus.transports.connection import key_slot
from daebus.transports.topology import RedisServer

from .world import open_world, told

RANGES = ((0, 5460), (5461, 10922), (10923, 16383))


class Cluster:
    """Six servers.

    Attributes:
        primaries: Those that have slots at first.
        replicas: Theirs, in the same order.
        url: For daebus; it names two of them.
    """

    def __init__(self, folder: Path) -> None:
        self._buses: dict[Engine, int] = {}
        engines = [self._engine(folder / str(number)) for number in range(6)]
        self.primaries, self.replicas = engines[:3], engines[3:]
        self.url = f"redis+cluster://127.0.0.1:{engines[0].port},127.0.0.1:{engines[1].port}"

    @property
    def engines(self) -> list[Engine]:
        return [*self.primaries, *self.replicas]

    async def start(self) -> None:
        start_all(*self.engines)
        for engine, (low, high) in zip(self.primaries, RANGES, strict=True):
            engine.ask(f"CLUSTER ADDSLOTSRANGE {low} {high}")
        first, *others = self.engines
        for engine in others:
            first.ask(f"CLUSTER MEET 127.0.0.1 {engine.port} {self._buses[engine]}")
        await until(lambda: all(b"cluster_known_nodes:6" in engine.ask("CLUSTER INFO") for engine in self.engines), 20)
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            replica.ask(f"CLUSTER REPLICATE {self.id(primary)}")
        await until(lambda: all(b"state=online" in engine.ask("INFO replication") for engine in self.primaries), 20)
        await until(lambda: all(b"cluster_state:ok" in engine.ask("CLUSTER INFO") for engine in self.engines), 20)

    def id(self, engine: Engine) -> str:
        found = re.search(rb"[0-9a-f]{40}", engine.ask("CLUSTER MYID"))
        assert found
        return found[0].decode()

    def owner(self, key: str) -> int:
        slot = key_slot(key)
        return next(number for number, (first, last) in enumerate(RANGES) if first <= slot <= last)

    def kill(self) -> None:
        for engine in self.engines:
            engine.kill()

    def _engine(self, folder: Path) -> Engine:
        folder.mkdir()
        bus = free_port()
        options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "1000")
        engine = Engine(folder, *options, "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
        self._buses[engine] = bus
        return engine


async def test_a_service_works_on_a_cluster_and_follows_its_slots(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        await cluster.start()
        await check_a_slot_that_moves(cluster)
        async with open_world(cluster.url) as world:
            for number in range(20):
                await world.works(number)
            home = cluster.owner("{faulty}")
            with told() as lines:
                cluster.primaries[home].kill()
                await world.fails()
                await until(lambda: b"role:master" in cluster.replicas[home].ask("INFO replication"), 15)
                assert await world.comes_back() < 6
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


async def test_a_server_alone_is_no_cluster(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    engine.start()
    try:
        with pytest.raises(StartupError, match="None of the hosts"):
            await RedisServer.from_url(engine.tcp_url.replace("redis:", "redis+cluster:")).check()
    finally:
        engine.kill()
