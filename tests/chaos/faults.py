"""The faults, one function each: break it, count, and say what was lost. The same seed breaks the same things."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import BusyLoadingError
from tests.chaos.fleet import Fleet, Ledger, Replica, daebus_service
from tests.chaos.load import Sending
from tests.chaos.service import EVENTS, WORK
from tests.engines import Engine
from tests.support import raw_redis, until

from daebus import Bus

__all__ = ["LEASE", "Report", "flow", "freezes", "hangs", "kills", "peer_kills", "renamings", "restarts"]

LEASE = 2.0
"""Seconds of the replicas' leases. A busy machine may keep a heartbeat waiting for a third of it."""

_STREAMS = f"daebus:{{chaos*}}:action:{WORK.name}"
_PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"
_LEASING = {"CHAOS_LEASE": str(LEASE)}
_IDLE = {"CHAOS_WORK_SECONDS": "0", "CHAOS_LEDGER": "/dev/null"}
_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Report(msgspec.Struct):
    """What came of a fault.

    Attributes:
        fault: What was done.
        injected: How often.
        messages: How many were taken by the server.
        lost: How many of them were never handled to their end.
        repeated: How many were begun more than once.
        unexplained: How many of those were not in the hands of what was broken at the time; None: not looked at.
        stall: The longest time in seconds in which nothing was handled.
        left: What lies in the streams at the end.
        more: What else is to be said.
    """

    fault: str
    injected: int
    messages: int
    lost: int
    repeated: int
    unexplained: int | None
    stall: float
    left: int
    more: str = ""


class _World:
    """A server, three replicas and a sender."""

    def __init__(self, engine: Engine, fleet: Fleet, sending: Sending, rng: random.Random) -> None:
        self.engine = engine
        self.fleet = fleet
        self.sending = sending
        self.rng = rng
        self.broken: dict[str, list[tuple[float, float]]] = {}
        self._began = time.monotonic()

    def breaks(self, process: str, since: float, until: float) -> None:
        """What this process had in hand in this time may be repeated."""
        self.broken.setdefault(process, []).append((since, until))

    async def every(self, pause: float, seconds: float, fault: Callable[[], Awaitable[None]]) -> int:
        """Inject a fault again and again while messages are sent; returns how often."""
        self._began = time.monotonic()
        sending = asyncio.create_task(self.sending.go_on(seconds))
        injected = 0
        while not sending.done():
            await asyncio.wait({sending}, timeout=pause)
            if not sending.done():
                await fault()
                injected += 1
        await sending
        return injected

    async def report(self, fault: str, injected: int) -> Report:
        """Wait until all is handled, or nothing more happens."""
        ended = time.monotonic()
        left = await self.settled()
        ledger = self.fleet.ledger()
        lost = sum(len(taken - ledger.ended(kind)) for kind, taken in self.sending.taken.items())
        repeated = ledger.repeated()
        return Report(
            fault,
            injected,
            self.sending.count,
            lost,
            len(repeated),
            sum(not self._explains(ledger, key) for key in repeated),
            round(ledger.longest_stall(self._began, ended), 2),
            left,
        )

    def _explains(self, ledger: Ledger, key: tuple[str, int]) -> bool:
        """Whether each run but the last one was in hand when its process was broken."""
        return all(
            any(
                since <= (run.ended or until) + LEASE and run.began <= until
                for since, until in self.broken.get(run.process, [])
            )
            for run in ledger.runs[key][:-1]
        )

    async def settled(self) -> int:
        """Wait until no stream holds anything; what is left where that takes too long."""
        left, quiet = -1, time.monotonic()
        async with raw_redis(self.engine.tcp_url) as redis:
            while left != 0 and time.monotonic() - quiet < 10 * LEASE:
                now = await _held(redis)
                if now != left:
                    left, quiet = now, time.monotonic()
                await asyncio.sleep(0.05)
        return left


async def _held(redis: Any) -> int:
    """How much the streams hold; -1 while the server still loads its data."""
    try:
        durable = (await redis.xinfo_groups(f"daebus:channel:{{{EVENTS.name}}}"))[0]
        queued: list[int] = [await redis.xlen(key) async for key in redis.scan_iter(match=_STREAMS)]
        held: int = sum(queued) + durable["pending"] + (durable["lag"] or 0)
    except BusyLoadingError:
        return -1
    return held


@asynccontextmanager
async def _open_world(folder: Path, seed: int, rate: float, *options: str) -> AsyncGenerator[_World]:
    with Engine(folder, *options) as engine, Fleet(folder, daebus_service(engine.tcp_url), _LEASING) as fleet:
        fleet.wait()
        async with Bus(engine.tcp_url) as bus:
            yield _World(engine, fleet, Sending(bus, rate), random.Random(seed))


async def kills(folder: Path, *, seed: int, seconds: float, rate: float = 1_000, pause: float = 2.0) -> Report:
    """``kill -9`` of a replica."""
    async with _open_world(folder, seed, rate) as world:

        async def kill() -> None:
            replica = world.rng.choice(world.fleet.replicas)
            world.fleet.kill(replica)
            world.breaks(replica.name, time.monotonic(), time.monotonic())

        return await world.report("kill -9 of a replica", await world.every(pause, seconds, kill))


async def renamings(folder: Path, *, seed: int, seconds: float, rate: float = 300, pause: float = 0.5) -> Report:
    """Rolling deployments, each with another name of the listener; some of the old replicas are killed."""
    async with _open_world(folder, seed, rate) as world:
        fleet, names = world.fleet, ["chaos.on_event"]

        async def deploy() -> None:
            names.append(f"name-{len(names)}")
            renamed = {"CHAOS_LISTENER": names[-1], "CHAOS_RENAMED_FROM": names[-2]}
            fleet.environment = {**_LEASING, **renamed}
            for replica in list(fleet.replicas):
                made = fleet.replace(replica)
                await until(lambda made=made: made.port is not None, 60)  # type: ignore[misc]
                if world.rng.random() < 0.5:
                    replica.process.kill()
                    world.breaks(replica.name, time.monotonic(), time.monotonic())
                else:
                    replica.signal(signal.SIGTERM)
                await until(lambda replica=replica: replica.process.poll() is not None, 60)  # type: ignore[misc]

        report = await world.report(
            "listener renamed in a rolling deployment", await world.every(pause, seconds, deploy)
        )
        async with raw_redis(world.engine.tcp_url) as redis:
            groups = await redis.xinfo_groups(f"daebus:channel:{{{EVENTS.name}}}")
        report.more = f"; {len(names)} names, {len(groups)} group"
        return report


async def peer_kills(
    folder: Path, *, seed: int, seconds: float, rate: float = 1_000, pause: float = 2.0, peer: str, python: Path
) -> Report:
    """``kill -9`` of a replica of a peer."""
    script, taken = str(_PEERS / f"chaos_{peer}.py"), folder / "taken"
    rng = random.Random(seed)
    with Engine(folder) as engine, Fleet(folder, (str(python), script, "serve", engine.tcp_url)) as fleet:
        fleet.wait()
        began, injected = time.monotonic(), 0
        sender = (str(python), script, "send", engine.tcp_url, str(rate), str(seconds), str(taken))
        sending = await asyncio.create_subprocess_exec(*sender)
        while sending.returncode is None:
            await asyncio.sleep(pause)
            if sending.returncode is None:
                fleet.kill(rng.choice(fleet.replicas))
                injected += 1
        ended = time.monotonic()
        numbers = set(map(int, taken.read_text().split()))
        lost = await _unhandled(fleet, numbers)
        ledger = fleet.ledger()
    repeated = len(ledger.repeated())
    stall = round(ledger.longest_stall(began, ended), 2)
    return Report(f"kill -9 of a replica: {peer}", injected, len(numbers), lost, repeated, None, stall, lost)


async def _unhandled(fleet: Fleet, numbers: set[int]) -> int:
    """How many were never handled to their end, once nothing more happens."""
    left, quiet = -1, time.monotonic()
    while left != 0 and time.monotonic() - quiet < 10 * LEASE:
        now = len(numbers - fleet.ledger().ended("send"))
        if now != left:
            left, quiet = now, time.monotonic()
        await asyncio.sleep(0.5)
    return left


async def freezes(folder: Path, *, seed: int, seconds: float, rate: float = 300, pause: float = 1.0) -> Report:
    """A replica is stopped for longer than its lease, and then goes on as if nothing had happened."""
    async with _open_world(folder, seed, rate) as world:

        async def freeze() -> None:
            replica: Replica = world.rng.choice(world.fleet.replicas)
            began = time.monotonic()
            replica.signal(signal.SIGSTOP)
            await asyncio.sleep(LEASE * world.rng.uniform(1.2, 2.0))
            replica.signal(signal.SIGCONT)
            world.breaks(replica.name, began, time.monotonic())

        return await world.report("SIGSTOP of a replica, past its lease", await world.every(pause, seconds, freeze))


async def hangs(folder: Path, *, seed: int, seconds: float, rate: float = 300, pause: float = 2.0) -> Report:
    """The server is stopped for longer than a lease, and goes on; all replicas live, and nothing may be run again."""
    async with _open_world(folder, seed, rate) as world:

        async def hang() -> None:
            world.engine.freeze()
            await asyncio.sleep(LEASE * world.rng.uniform(1.2, 2.0))
            world.engine.thaw()

        return await world.report("SIGSTOP of the server, past the lease", await world.every(pause, seconds, hang))


async def restarts(folder: Path, *, seed: int, seconds: float, rate: float = 300, pause: float = 5.0) -> Report:
    """The server is killed and started again with its data."""
    async with _open_world(folder, seed, rate, *_DURABLE) as world:

        async def restart() -> None:
            began = time.monotonic()
            world.engine.kill()
            await asyncio.sleep(world.rng.uniform(0.0, 1.0))
            world.engine.start()
            for replica in world.fleet.replicas:
                world.breaks(replica.name, began, time.monotonic())

        return await world.report("kill -9 of the server (AOF, always)", await world.every(pause, seconds, restart))


async def flow(folder: Path, *, messages: int) -> Report:
    """Nothing is broken: all streams are empty at the end, and the server's memory is back where it began."""
    with Engine(folder) as engine, Fleet(folder, daebus_service(engine.tcp_url), _IDLE) as fleet:
        fleet.wait()
        async with Bus(engine.tcp_url) as bus, raw_redis(engine.tcp_url) as redis:
            world = _World(engine, fleet, Sending(bus, 1e9), random.Random(0))
            await _send(bus, 1_000)
            await world.settled()
            before = (await redis.info("memory"))["used_memory"]
            await _send(bus, messages)
            left = await world.settled()
            after = (await redis.info("memory"))["used_memory"]
    more = f", the server's memory is {after / before:.3f} times that at first"
    return Report("none", 0, messages, 0, 0, 0, 0.0, left, more)


async def _send(bus: Bus, messages: int) -> None:
    numbers = iter(range(messages))

    async def send() -> None:
        for number in numbers:
            await bus.send(WORK, number)

    await asyncio.gather(*(send() for _ in range(64)))
