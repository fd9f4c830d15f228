"""A message that kills whatever process handles it, among many that do no harm and were in the same hands."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Service, launched
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel
from daebus.errors import Internal
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

TOTAL, POISON = 41, 13
LEASE = 1.0

WORKER = """
import asyncio, ctypes, os, resource, signal
from pathlib import Path
from daebus import Channel, Daebus, Settings

app = Daebus("poisoned", settings=Settings(lease=float(os.environ["LEASE"]), max_concurrency=64, stop_timeout=1.0))
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
armed = Path(os.environ["ARMED"])

def use_up_memory(dies: bool) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    # Only the soft limit: a process must not raise the other one again when the message is retried.
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), resource.getrlimit(resource.RLIMIT_AS)[1]))
    if dies:
        malloc = ctypes.CDLL(None).malloc
        malloc.restype = ctypes.c_void_p
        ctypes.memset(malloc(ctypes.c_size_t(1 << 30)), 0, 1 << 30)  # as C code does that does not look at what it got
    hoard = [bytearray(1 << 24) for _ in range(1 << 10)]

async def work(number: int) -> int:
    os.write(ledger, f"begin {number}\\n".encode())
    while not armed.exists():
        await asyncio.sleep(0.01)
    if number == int(os.environ["POISON"]):
        if os.environ["DEATH"] == "exit":
            os._exit(1)
        if os.environ["DEATH"] in ("memory", "none"):
            use_up_memory(os.environ["DEATH"] == "memory")
        await asyncio.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory is used up
    await asyncio.sleep(float(os.environ["SECONDS"]))
    os.write(ledger, f"end {number}\\n".encode())
    return number

@app.action("work", retries=2, backoff=0.1)
async def on_work(number: int) -> int:
    return await work(number)

@app.listen(Channel[int]("poisoned", durable=True))
async def on_event(number: int) -> None:
    await work(number)

app.run(service="poisoned")
"""

WORK = Action[int, int]("work", service="poisoned")
EVENTS = Channel[int]("poisoned", durable=True)
DEAD = "daebus:{poisoned}:dead"


class Fleet:
    """Replicas, of which each that dies is replaced."""

    def __init__(self, folder: Path, death: str, seconds: float) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._program = folder / "worker.py"
        self._program.write_text(WORKER)
        self._environment = {
            "DAEBUS_REDIS_URL": private_redis_url(),
            "LEASE": str(LEASE),
            "LEDGER": str(folder / "ledger"),
            "ARMED": str(folder / "armed"),
            "POISON": str(POISON),
            "DEATH": death,
            "SECONDS": str(seconds),
        }
        self._live: list[Service] = []
        self.deaths = 0

    async def grow(self) -> None:
        """Start one more."""
        program = str(self._program)
        made = self._stack.enter_context(launched(sys.executable, program, cwd=self._folder, **self._environment))
        self._live.append(made)
        await asyncio.to_thread(made.wait_for, "service started")

    async def keep(self) -> None:
        """Replace what dies, for ever."""
        while True:
            for service in [service for service in self._live if service.process.poll() is not None]:
                self.deaths += 1
                self._live.remove(service)
                await self.grow()
            await asyncio.sleep(0.05)

    def arm(self) -> None:
        (self._folder / "armed").touch()

    def close(self) -> None:
        self._stack.close()

    def noted(self, what: str) -> Counter[int]:
        ledger = self._folder / "ledger"
        lines = ledger.read_text().splitlines() if ledger.exists() else []
        return Counter(int(line.split()[1]) for line in lines if line.startswith(what))


@asynccontextmanager
async def poisoned(folder: Path, death: str = "exit", seconds: float = 0.05) -> AsyncGenerator[Fleet]:
    fleet = Fleet(folder, death, seconds)
    try:
        await fleet.grow()
        yield fleet
    finally:
        fleet.close()


@asynccontextmanager
async def let_loose(fleet: Fleet, replicas: int) -> AsyncGenerator[None]:
    """One process has everything in its hands: the poison kills it, and others are there or come."""
    await until(lambda: len(fleet.noted("begin")) == TOTAL)
    for _ in range(replicas - 1):
        await fleet.grow()
    keeping = asyncio.create_task(fleet.keep())
    fleet.arm()
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


INNOCENT = set(range(TOTAL)) - {POISON}


async def dead_letters(redis: Any) -> list[dict[bytes, bytes]]:
    return [letter for _, letter in await redis.xrange(DEAD)]


@pytest.mark.parametrize(
    ("kind", "death", "replicas"), [("send", "exit", 1), ("event", "kill", 3), ("send", "memory", 1)]
)
async def test_only_the_poison_is_buried(tmp_path: Path, kind: str, death: str, replicas: int) -> None:
    """It kills at once, after a second, or as memory is used up (RLIMIT_AS); a replica that died is replaced."""
    url = private_redis_url()
    async with (
        raw_redis(url) as redis,
        Bus(url) as bus,
        poisoned(tmp_path, death, seconds=0.4 if death == "kill" else 0.05) as fleet,
    ):
        for number in range(TOTAL):
            await (bus.send(WORK, number) if kind == "send" else bus.publish(EVENTS, number))
        async with let_loose(fleet, replicas):
            await until(lambda: redis.exists(DEAD), 150)  # five times a process has to start
            await until(lambda: set(fleet.noted("end")) == INNOCENT, 30)
        (letter,) = await dead_letters(redis)
        body = letter[b"request" if kind == "send" else b"event"]
        assert (b'"payload":13' in body) if kind == "send" else body == b"13"
        assert letter[b"code"] == b"internal"
        assert b"delivered 5 times" in letter[b"error"]
        assert letter[b"deliveries"] == b"5"
        assert fleet.noted("begin")[POISON] == 5
        assert fleet.deaths == 5


async def test_a_handler_that_gets_no_memory_fails_and_its_process_goes_on(tmp_path: Path) -> None:
    url = private_redis_url()
    async with raw_redis(url) as redis, Bus(url) as bus, poisoned(tmp_path, "none") as fleet:
        for number in range(TOTAL):
            await bus.send(WORK, number)
        async with let_loose(fleet, 1):
            await until(lambda: redis.exists(DEAD), 60)
            await until(lambda: set(fleet.noted("end")) == INNOCENT, 30)
        (letter,) = await dead_letters(redis)
        assert b'"payload":13' in letter[b"request"]
        assert letter[b"exception"] == b"MemoryError"
        assert fleet.noted("begin")[POISON] == 3  # with its two retries
        assert fleet.deaths == 0


async def test_a_call_that_kills_its_process_is_given_to_one_more_and_its_caller_is_told(tmp_path: Path) -> None:
    url = private_redis_url()
    async with raw_redis(url) as redis, Bus(url) as bus, poisoned(tmp_path) as fleet:
        calls = [asyncio.create_task(bus.call(WORK, number, timeout=90)) for number in range(TOTAL)]
        async with let_loose(fleet, 2):
            answers = await asyncio.gather(*calls, return_exceptions=True)
        failed = answers[POISON]
        assert isinstance(failed, Internal)
        assert "delivered 2 times" in failed.message
        assert {number for number, answer in enumerate(answers) if answer == number} == INNOCENT
        (letter,) = await dead_letters(redis)
        assert b'"payload":13' in letter[b"request"]
        assert (letter[b"code"], letter[b"deliveries"]) == (b"internal", b"2")
        assert fleet.noted("begin")[POISON] == 2
        assert max(fleet.noted("begin").values()) == 2
        assert fleet.deaths == 2
