"""A cluster of servers, in processes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.engines import Engine, free_port, start_all
from tests.support import until

from daebus.connection.session import key_slot

__all__ = ["Cluster"]

RANGES = ((0, 5460), (5461, 10922), (10923, 16383))


class Cluster:
    """Three servers, each with a replica if there are to be some.

    Args:
        folder: For their files.
        with_replicas: Whether there are to be replicas.
        announced: The ports that clients are told of, where these are others than those of the servers.
        options: More of their command lines.
        environment: More of their environment.

    Attributes:
        primaries: Those that have slots at first.
        replicas: Theirs, in the same order.
        url: For daebus; it names two of them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        with_replicas: bool = True,
        announced: Sequence[int] = (),
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._buses: dict[Engine, int] = {}
        self._options = options
        self._environment = environment
        count = 6 if with_replicas else 3
        ports: Sequence[int | None] = announced or [None] * count
        engines = [self._engine(folder / str(number), port) for number, port in enumerate(ports)]
        self.primaries, self.replicas = engines[:3], engines[3:]
        self.url = f"redis+cluster://127.0.0.1:{engines[0].port},127.0.0.1:{engines[1].port}"

    @property
    def engines(self) -> list[Engine]:
        return [*self.primaries, *self.replicas]

    async def start(self) -> None:
        """Start them, and make them a cluster."""
        start_all(*self.engines)
        for engine, (low, high) in zip(self.primaries, RANGES, strict=True):
            engine.ask(f"CLUSTER ADDSLOTSRANGE {low} {high}")
        first, *others = self.engines
        for engine in others:
            first.ask(f"CLUSTER MEET 127.0.0.1 {engine.port} {self._buses[engine]}")
        await until(
            lambda: all(
                f"cluster_known_nodes:{len(self.engines)}".encode() in engine.ask("CLUSTER INFO")
                for engine in self.engines
            ),
            20,
        )
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            replica.ask(f"CLUSTER REPLICATE {self.id(primary)}")
        await until(lambda: all(b"master_link_status:up" in one.ask("INFO replication") for one in self.replicas), 20)
        await until(lambda: all(b"cluster_state:ok" in engine.ask("CLUSTER INFO") for engine in self.engines), 20)

    def id(self, engine: Engine) -> str:
        """What the cluster calls a server."""
        found = re.search(rb"[0-9a-f]{40}", engine.ask("CLUSTER MYID"))
        assert found
        return found[0].decode()

    def owner(self, key: str) -> int:
        """The number of the primary that has a key at first."""
        slot = key_slot(key)
        return next(number for number, (first, last) in enumerate(RANGES) if first <= slot <= last)

    def move(self, slot: int, giver: Engine, taker: Engine) -> None:
        """Move a slot with its keys from one server to another."""
        taker.ask(f"CLUSTER SETSLOT {slot} IMPORTING {self.id(giver)}")
        giver.ask(f"CLUSTER SETSLOT {slot} MIGRATING {self.id(taker)}")
        keys = giver.ask(f"CLUSTER GETKEYSINSLOT {slot} 1000").decode().split("\r\n")[2::2]
        if keys:
            giver.ask(f'MIGRATE 127.0.0.1 {taker.port} "" 0 5000 KEYS {" ".join(keys)}')
        for one in (taker, giver):
            one.ask(f"CLUSTER SETSLOT {slot} NODE {self.id(taker)}")

    def kill(self) -> None:
        """Kill all of them."""
        for engine in self.engines:
            engine.kill()

    def _engine(self, folder: Path, announced: int | None) -> Engine:
        folder.mkdir()
        bus = free_port()
        port = () if announced is None else ("--cluster-announce-port", str(announced))
        engine = Engine(
            folder,
            *("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "1000"),
            *("--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0"),
            *("--repl-diskless-sync-delay", "0"),
            *self._options,
            *port,
            environment=self._environment,
        )
        self._buses[engine] = bus
        return engine
