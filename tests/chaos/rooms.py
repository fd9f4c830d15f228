"""Rooms whose replicas are killed, and whose server is restarted: no page misses a message, or it is told so.

``python -m tests.chaos.rooms --sockets 2000 --seconds 120`` prints what was found. Each page must get all messages of
its room once and in order, which is compared with the history of the room, or must be told ``partial`` or ``lost``. The
members that it sees must be the truth of at most one lease ago.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.chaos.fleet import Fleet, Replica, daebus_service
from tests.chaos.room_pages import Page, Totals
from tests.engines import Engine
from tests.support import raw_redis, until

from daebus.core.timings import DEFAULT_TIMINGS
from daebus.protocol.rooms import room_history

__all__ = ["Found", "Setup", "play"]

_SERVICE = Path(__file__).with_name("rooms_service.py")
_SETTLING = 60.0
_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Setup(msgspec.Struct):
    """What is done.

    Attributes:
        sockets: How many pages there are.
        rooms: How many rooms they are in, each in one.
        rate: How many messages they send per second.
        seconds: For how long.
        pause: Seconds between two kills of a replica; 0: none.
        restarts: How often the server is killed and started again.
        lease: Seconds after which what a page sees must be the truth.
        seed: Of what is random.
    """

    sockets: int = 2000
    rooms: int = 50
    rate: float = 200.0
    seconds: float = 120.0
    pause: float = 10.0
    restarts: int = 0
    lease: float = DEFAULT_TIMINGS.room_lease
    seed: int = 1


class Found(msgspec.Struct):
    """What came of it.

    Attributes:
        kills: How many replicas were killed.
        restarts: How often the server was restarted.
        sent: How many messages pages tried to send.
        kept: How many the rooms have.
        acked: How many were answered.
        lost: How many that were answered the rooms do not have.
        repeated: How many numbers a room has twice.
        delivered: How many messages pages have got.
        recoveries: What pages were told when they came back.
        looks: How often the members that pages see were compared with the truth.
        away: The longest time for which a page was in no room.
        stall: The longest time for which the process of the pages was busy, which delays them.
        wrong: Violations, by kind: how many, and the first of them.
    """

    kills: int
    restarts: int
    sent: int
    kept: int
    acked: int
    lost: int
    repeated: int
    delivered: int
    recoveries: dict[str, int]
    looks: int
    away: float
    stall: float
    wrong: dict[str, tuple[int, list[str]]]


class _World:
    """A server, replicas, and the pages that are connected to them."""

    def __init__(self, setup: Setup, engine: Engine, fleet: Fleet) -> None:
        self.setup = setup
        self.totals = Totals()
        self.kills = self.restarts = self.sent = self.looks = 0
        self.stall = 0.0
        self._engine = engine
        self._fleet = fleet
        self._rng = random.Random(setup.seed)
        self._ports: dict[Replica, int] = {}
        self._doubtful_until = 0.0  # the server was away
        self.pages = [Page(number, number % setup.rooms, self.ports, self.totals) for number in range(setup.sockets)]

    def ports(self) -> list[int]:
        """Where replicas listen that are alive."""
        for replica in self._fleet.replicas:
            if replica not in self._ports and replica.port is not None:
                self._ports[replica] = replica.port
        return [self._ports[each] for each in self._fleet.replicas if each in self._ports and is_alive(each)]

    async def everybody_is_there(self) -> None:
        """Wait until each page is in its room."""
        deadline = time.monotonic() + _SETTLING
        while any(page.since is None for page in self.pages):
            assert time.monotonic() < deadline, f"{sum(page.since is None for page in self.pages)} pages are away"
            await asyncio.sleep(0.05)

    async def send(self) -> None:
        """Let pages send, until cancelled."""
        began = time.monotonic()
        for number in itertools.count(1):
            await asyncio.sleep(max(0.0, began + number / self.setup.rate - time.monotonic()))
            self.sent = number
            await self._rng.choice(self.pages).say(number)

    async def kill(self) -> None:
        """Kill one replica after the other, until cancelled."""
        for number in itertools.count():
            await asyncio.sleep(self.setup.pause)
            await until(lambda: len(self.ports()) == len(self._fleet.replicas), 120)  # else there would be none
            self._fleet.kill(self._fleet.replicas[number % len(self._fleet.replicas)])
            self.kills += 1

    async def restart(self) -> None:
        """Restart the server, as often as wanted, evenly spread over the time."""
        for _ in range(self.setup.restarts):
            await asyncio.sleep(self.setup.seconds / (self.setup.restarts + 1))
            self._engine.kill()
            await asyncio.sleep(1)
            self._engine.start()
            self.restarts += 1
            self._doubtful_until = time.monotonic() + self.setup.lease

    async def look(self) -> None:
        """Compare the members that pages see with the truth, until cancelled."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.2)
            now = time.monotonic()
            self.stall = max(self.stall, now - before - 0.2)
            if now > self._doubtful_until:
                self._compare(now - self.setup.lease - self.stall)

    def _compare(self, then: float) -> None:
        self.looks += 1
        rooms: defaultdict[int, list[Page]] = defaultdict(list)
        for page in self.pages:
            if page.since is not None:
                rooms[page.room].append(page)
        gone = {shown for shown, at in self.totals.gone.items() if at < then}
        for room, pages in rooms.items():
            needed = {page.shown for page in pages if page.since is not None and page.since < then}
            for page in pages:
                seen = set(page.view.values())
                if missing := needed - seen:
                    self.totals.blame("a member is not seen", f"{page.shown} in {room} misses {sorted(missing)[:3]}")
                if strange := seen & gone:
                    self.totals.blame("a member is still seen", f"{page.shown} in {room} sees {sorted(strange)[:3]}")

    async def caught_up(self) -> dict[int, dict[int, int]]:
        """Wait until each page has the last message of its room; returns the rooms' numbers by their offsets."""
        deadline = time.monotonic() + _SETTLING
        async with raw_redis(self._engine.tcp_url) as redis:
            history = {room: await read_history(redis, room) for room in range(self.setup.rooms)}
        while behind := [page for page in self.pages if page.offset < max(history[page.room], default=0)]:
            if time.monotonic() > deadline:
                for page in behind:
                    self.totals.blame("not caught up", f"{page.shown} in {page.room} has {page.offset}")
                break
            await asyncio.sleep(0.05)
        return history

    def found(self, history: dict[int, dict[int, int]]) -> Found:
        """Compare what pages have got with the rooms."""
        for page in self.pages:
            for offset, number in zip(page.got[::2], page.got[1::2], strict=True):
                if history[page.room].get(offset) != number:
                    self.totals.blame("another message", f"{page.shown} in {page.room} got {number} as {offset}")
        kept = [number for numbers in history.values() for number in numbers.values()]
        totals = self.totals
        return Found(
            self.kills,
            self.restarts,
            self.sent,
            len(kept),
            len(totals.acked),
            len(totals.acked.difference(kept)),
            len(kept) - len(set(kept)),
            totals.delivered,
            dict(totals.recoveries),
            self.looks,
            round(totals.away, 1),
            round(self.stall, 1),
            {kind: (len(examples), examples[:5]) for kind, examples in totals.wrong.items()},
        )


class _Said(msgspec.Struct):
    data: int


async def read_history(redis: Any, room: int) -> dict[int, int]:
    """The numbers of a room by their offsets."""
    entries: list[tuple[bytes, dict[bytes, bytes]]] = await redis.xrange(room_history(f"chaos:{room}"))
    decode = msgspec.json.Decoder(_Said).decode
    return {int(entry_id.partition(b"-")[0]): decode(fields[b"m"]).data for entry_id, fields in entries}


def allow_files(wanted: int) -> None:
    """Let this process, and those that it starts from now on, open so many files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def is_alive(replica: Replica) -> bool:
    return replica.process.poll() is None


@asynccontextmanager
async def _doing(work: Iterable[Coroutine[object, object, None]]) -> AsyncGenerator[None]:
    """Do this in the background; what has failed is raised at the end."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def play(folder: Path, setup: Setup) -> Found:
    """Do it, and say what was found."""
    allow_files(3 * setup.sockets + 1000)
    with (
        Engine(folder, *(_DURABLE if setup.restarts else ())) as engine,
        Fleet(folder, daebus_service(engine.tcp_url, _SERVICE), size=2) as fleet,
    ):
        fleet.wait()
        world = _World(setup, engine, fleet)
        async with _doing(page.run() for page in world.pages):
            await world.everybody_is_there()
            faults = [world.kill] * bool(setup.pause) + [world.restart] * bool(setup.restarts)
            async with _doing([world.look()]):
                async with _doing(each() for each in [world.send, *faults]):
                    await asyncio.sleep(setup.seconds)
                await world.everybody_is_there()
                history = await world.caught_up()
                await asyncio.sleep(setup.lease + 1)
            return world.found(history)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rooms")
    defaults = Setup()
    for name, kind in (("sockets", int), ("rooms", int), ("rate", float), ("seconds", float), ("pause", float)):
        parser.add_argument(f"--{name}", type=kind, default=getattr(defaults, name))
    parser.add_argument("--restarts", type=int, default=0, help="how often the server is restarted")
    parser.add_argument("--seed", type=int, default=1)
    setup = msgspec.convert(vars(parser.parse_args(arguments)), Setup)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(play(Path(folder), setup))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    return bool(found.wrong or found.lost or found.repeated)


if __name__ == "__main__":
    sys.exit(main())
