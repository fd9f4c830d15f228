"""A run: servers, the proxy, replicas and a client, all in processes of their own, and what becomes of them."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from tests.support import until

from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.errors import ServiceError, StartupError
from daebus.operations.dead_letters import DeadLetters

from .history import KILLED, OVERDUE, History
from .members import START_SECONDS, Member, client_command, service_command
from .proxies import Proxies, open_proxies
from .records import Recorder, read
from .servers import TOPOLOGIES, Servers
from .service import SERVICE, STOP_TIMEOUT, Work

__all__ = ["LEASE", "Arena", "Load", "open_arena"]

LEASE = 2.0
"""Seconds of the replicas' leases."""

_QUIET_SECONDS = 10 * LEASE
_STOP_SECONDS = STOP_TIMEOUT + 5 + 4  # the last of it for a busy machine


class Load(msgspec.Struct, frozen=True):
    """What the client does.

    Attributes:
        kinds: The kinds of its operations.
        rate: How many it begins in a second.
        seconds: For how long.
        seed: Chooses them.
        longest: How many seconds the longest handlers take.
    """

    kinds: tuple[str, ...]
    rate: float
    seconds: float
    seed: int
    longest: float


class Arena:
    """A run.

    Attributes:
        folder: Where its files lie.
        servers: The servers.
        proxies: The proxy before them.
        recorder: For what is done to the processes.
        replicas: The replicas, by their slots; a slot keeps its number when its replica is replaced.
        lease: The lease of the replicas that are made from now on.
    """

    def __init__(self, folder: Path, servers: Servers, proxies: Proxies) -> None:
        self.folder = folder
        self.servers = servers
        self.proxies = proxies
        self.recorder = Recorder(folder, "arena")
        self.replicas: list[Member] = []
        self.client: Member | None = None
        self.lease = LEASE
        self._all: list[Member] = []
        self._numbers = itertools.count(1)

    async def start(self, replicas: int) -> None:
        """Start the replicas."""
        self.replicas = [await self._make(slot) for slot in range(replicas)]
        await asyncio.gather(*(replica.started() for replica in self.replicas))

    async def load(self, load: Load) -> Member:
        """Start a client."""
        options = msgspec.structs.asdict(load) | {"kinds": ",".join(load.kinds)}
        member = await self._launch("client", client_command(self.servers.url, **options), {})
        self.client = member
        await until((self.folder / "client.history").exists, START_SECONDS)
        return member

    async def replace(self, slot: int) -> Member:
        """Start another replica in a slot."""
        made = self.replicas[slot] = await self._make(slot)
        return made

    def kill(self, member: Member) -> None:
        """Kill a process."""
        member.process.kill()
        member.process.wait()
        self._bury(member, KILLED)

    def stop(self, member: Member) -> None:
        """Tell a process to stop."""
        member.stopping = True
        self.recorder.add("stopping", process=member.name)
        member.signal(signal.SIGTERM)

    async def stopped(self, member: Member) -> None:
        """Have a process stop; it is killed where it does not in time."""
        self.stop(member)
        try:
            await until(lambda: not member.is_running, _STOP_SECONDS)
        except TimeoutError:
            member.process.kill()
            member.process.wait()
            self._bury(member, OVERDUE)
        self._bury(member)

    def new_id(self, kind: str) -> str:
        """The id of an operation."""
        return f"arena-{kind}-{next(self._numbers)}"

    async def tend(self) -> None:
        """Put a new replica into each slot whose replica has ended by itself."""
        for slot, replica in enumerate(self.replicas):
            if not replica.is_running:
                self._bury(replica)
                await self.replace(slot)

    def history(self) -> History:
        """What has happened so far."""
        return History(read(self.folder))

    async def settled(self) -> None:
        """Wait until all that was acknowledged is handled or a dead letter, or nothing more happens."""
        waits, quiet = -1, time.monotonic()
        while waits and time.monotonic() - quiet < _QUIET_SECONDS:
            await self.tend()
            now = await self._waiting()
            if now != waits:
                waits, quiet = now, time.monotonic()
            await asyncio.sleep(0.2)

    async def finish(self) -> None:
        """Stop the replicas, and record the dead letters and what was logged."""
        await self.take_letters()
        await asyncio.gather(*(self.stopped(replica) for replica in self.replicas))
        for member in self._all:
            member.record_lapses(self.recorder)

    def end(self) -> None:
        """Kill what still runs."""
        for member in self._all:
            member.end()
        self.recorder.close()

    async def take_letters(self) -> None:
        """Record the dead letters, and drop them. If the server is away, they stay until the next time."""
        decode = msgspec.json.Decoder(Work).decode
        with suppress(StartupError, ServiceError):
            async with open_node(RedisServer.from_url(self.servers.direct_url)) as node:
                letters = DeadLetters(node, SERVICE)
                async for letter in letters.all():
                    subject = decode(letter.payload).subject
                    self.recorder.add("letter", letter.id, subject=subject, code=letter.code, value=letter.error)
                    await letters.drop(letter)

    async def _waiting(self) -> int:
        await self.take_letters()
        history = self.history()
        buried = {letter.subject for letter in history.letters.values()}
        return sum(
            operation.outcome == "ok"
            and operation.subject not in buried
            and all(run.code != "ok" for run in history.runs.get(operation.subject, ()))
            for operation in history.operations.values()
        )

    def _bury(self, member: Member, code: str = "") -> None:
        if not member.is_gone:
            member.is_gone = True
            self.recorder.add("died", process=member.name, code=code or str(member.process.poll()))

    async def _make(self, slot: int) -> Member:
        name = f"replica-{slot}.{next(self._numbers)}"
        return await self._launch(
            name,
            service_command(self.servers.url),
            {"HISTORY_LEASE": str(self.lease), "HISTORY_PARTITIONS": str(self.servers.partitions)},
        )

    async def _launch(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Member:
        member = Member(name, self.folder, command, environment)
        self._all.append(member)
        await self.proxies.know(name, member.process.pid)
        return member


@asynccontextmanager
async def open_arena(folder: Path, replicas: int, topology: str) -> AsyncGenerator[Arena]:
    """Start everything but the client, and end everything."""
    servers = TOPOLOGIES[topology](folder)
    async with open_proxies() as proxies:
        arena = Arena(folder, servers, proxies)
        try:
            await servers.start(proxies)
            await arena.start(replicas)
            yield arena
        finally:
            arena.end()
            servers.stop()
