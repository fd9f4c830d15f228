"""The servers under test, behind the proxy: one, a cluster, or one that Sentinels watch; their clock can be set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tests.engines import Engine, free_port, start_all
from tests.faults.clusters import Cluster
from tests.support import until

from .proxies import Proxies

__all__ = ["FAKETIME", "TOPOLOGIES", "Clock", "Clustered", "Servers", "Single", "Watched"]

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""From Debian's package `libfaketime`."""

_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Clock:
    """A clock for servers, which can be set.

    Args:
        folder: For the file that the servers read it from.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.step(0)

    @property
    def can_be_set(self) -> bool:
        """Whether this machine has the library for it."""
        return FAKETIME.exists()

    @property
    def environment(self) -> dict[str, str]:
        """For the servers."""
        if not self.can_be_set:
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: float) -> None:
        """Set it to so many seconds after the true time."""
        changed = self._file.with_suffix(".new")
        changed.write_text(f"{seconds:+.3f}\n")
        changed.replace(self._file)


class Servers(Protocol):
    """What daebus runs on.

    Attributes:
        url: For daebus, through the proxy.
        direct_url: For the observer, beside it.
        engines: The servers that hold data.
        clock: Their clock.
        partitions: How many partitions the service has.
        fails_over: Whether a replica takes over from a server that breaks. What the server had acknowledged shortly
            before, or goes on to acknowledge until it knows, is lost then.
    """

    url: str
    direct_url: str
    engines: list[Engine]
    clock: Clock
    partitions: int
    fails_over: bool

    async def start(self, proxies: Proxies) -> None:
        """Start them, and have the proxy stand before them."""
        ...

    async def in_step(self) -> None:
        """Wait until a replica has all that its primary has: if the primary breaks before, more is lost."""
        ...

    def failovers(self) -> int:
        """A number that grows with each failover, whatever its cause: a busy machine is one, too. It may block."""
        ...

    def stop(self) -> None:
        """Kill them."""
        ...


class Single:
    """One server, which keeps what it has acknowledged."""

    partitions = 1
    fails_over = False

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder)
        engine = Engine(folder / "server", *_DURABLE, environment=self.clock.environment)
        self.engines = [engine]
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.direct_url = engine.tcp_url

    async def start(self, proxies: Proxies) -> None:
        """Start it, and have the proxy stand before it."""
        self.engines[0].start()
        await proxies.serve(self._port, self.engines[0].port)

    async def in_step(self) -> None:
        """There is no replica."""

    def failovers(self) -> int:
        """There are none."""
        return 0

    def stop(self) -> None:
        """Kill it."""
        self.engines[0].kill()


class Clustered:
    """A cluster of three servers without replicas, which keep what they have acknowledged."""

    partitions = 3
    fails_over = False

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder)
        self._ports = [free_port() for _ in range(3)]
        self._cluster = Cluster(
            folder,
            with_replicas=False,
            announced=self._ports,
            options=_DURABLE,
            environment=self.clock.environment,
        )
        self.engines = self._cluster.engines
        self.url = self.direct_url = f"redis+cluster://127.0.0.1:{self._ports[0]},127.0.0.1:{self._ports[1]}"

    async def start(self, proxies: Proxies) -> None:
        """Start them, and have the proxy stand before each of them."""
        for port, engine in zip(self._ports, self.engines, strict=True):
            await proxies.serve(port, engine.port)
        await self._cluster.start()

    async def in_step(self) -> None:
        """There is no replica."""

    def failovers(self) -> int:
        """There are none, as there are no replicas."""
        return 0

    def stop(self) -> None:
        """Kill them."""
        self._cluster.kill()


_SENTINEL = """
sentinel monitor main 127.0.0.1 {port} 2
sentinel down-after-milliseconds main 1500
sentinel failover-timeout main 4000
"""
_EPOCH = re.compile(rb"config-epoch\r\n\$\d+\r\n(\d+)")


class Watched:
    """A server and its replica, watched by three Sentinels."""

    partitions = 1
    fails_over = True

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder)
        self._ports = [free_port() for _ in range(2)]
        self.engines = [
            Engine(
                folder / f"server-{number}",
                *("--repl-diskless-sync-delay", "0", "--replica-announce-port", str(port), *_DURABLE),
                environment=self.clock.environment,
            )
            for number, port in enumerate(self._ports)
        ]
        self._sentinels = [self._sentinel(folder / f"sentinel-{number}") for number in range(3)]
        self.url = f"redis+sentinel://{','.join(f'127.0.0.1:{one.port}' for one in self._sentinels)}/main"
        self.direct_url = self.url

    async def start(self, proxies: Proxies) -> None:
        """Start them, and have the proxy stand before the servers."""
        start_all(*self.engines)
        for port, engine in zip(self._ports, self.engines, strict=True):
            await proxies.serve(port, engine.port)
        first, second = self.engines
        second.ask(f"REPLICAOF 127.0.0.1 {self._ports[0]}")
        await until(lambda: b"state=online" in first.ask("INFO replication"), 15)
        start_all(*self._sentinels)
        signs = (b"num-slaves\r\n$1\r\n1", b"num-other-sentinels\r\n$1\r\n2")
        await until(
            lambda: all(sign in one.ask("SENTINEL MASTER main") for one in self._sentinels for sign in signs), 20
        )

    async def in_step(self) -> None:
        """One of the servers is a primary, and the other one its replica."""
        await until(lambda: any(b"state=online" in one.ask("INFO replication") for one in self.engines), 60, 0.2)

    def failovers(self) -> int:
        """The number of the newest decision of the Sentinels."""
        told = b"".join(one.ask("SENTINEL MASTER main") for one in self._sentinels)
        return max(map(int, _EPOCH.findall(told)), default=0)

    def stop(self) -> None:
        """Kill them."""
        for engine in (*self._sentinels, *self.engines):
            engine.kill()

    def _sentinel(self, folder: Path) -> Engine:
        folder.mkdir()
        config = folder / "sentinel.conf"
        config.write_text(_SENTINEL.format(port=self._ports[0]))
        return Engine(folder, "--sentinel", config=config)


TOPOLOGIES: Mapping[str, Callable[[Path], Servers]] = {"single": Single, "cluster": Clustered, "sentinel": Watched}
"""On what a run can be."""
