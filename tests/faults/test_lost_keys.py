"""Keys of the protocol are deleted, or evicted, one by one, while two replicas work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.engines import Engine
from tests.faults.world import told
from tests.support import open_bus, raw_redis, until

from daebus import Action, Bus, Channel, Daebus, Settings
from daebus.core.timings import Timings
from daebus.errors import DaebusError, Unavailable
from daebus.testing import running

LEASE = 2.0
TIMINGS = Timings(beat=0.1, fresh=0.1)

CALLED = Action[int, int]("called", service="lossy")
SENT = Action[int, None]("sent", service="lossy")
KEYED = Action[int, int]("keyed", service="lossy")
EVENTS = Channel[int]("lossy", durable=True)

SENT_STREAM = "daebus:{lossy}:action:sent"
CHANNEL_STREAM = "daebus:channel:{lossy}"

# What the log says where a key was lost. Of the others nothing is needed: they are made again by the next heartbeat, or
# when they are needed, and until then nothing depends on them.
INSTANCES = "registry of instances was lost and is made again"
GROUP = "consumer group was lost and is created again"
KEYS = {
    "daebus:{lossy}:instances": INSTANCES,
    "daebus:{lossy}:instances :answered": INSTANCES,
    "daebus:{lossy}:instances :least": "",
    "daebus:{lossy}:instances:fence": "",
    "daebus:{lossy}:serving": "The registry of what 'lossy' serves was lost and is made again.",
    "daebus:{lossy}:servers": "",
    "daebus:{lossy}:actions": "",
    "daebus:{lossy}:retries": "",
    "daebus:{lossy}:dead": "",
    "daebus:{lossy}:channels": "",
    "daebus:{lossy}:task:tick": "record of a background task was lost and is made again",
    "daebus:channel:{lossy}:listeners": "",
    "daebus:channel:{lossy}:listening": "",
    "daebus:channel:{lossy}:gone": "",
}


HELD = Action[int, None]("held", service="lossy")


class Load:
    """Calls, sends, keyed calls and durable events, and what two replicas do with them.

    Attributes:
        runs: How often each message was handled.
        done: What was acknowledged to the sender.
        errors: What failed.
        ticks: How many runs of the background task there were.
        ticking: How many are going on.
        gate: What held messages wait for.
        bus: That of the sender.
    """

    def __init__(self, bus: Bus) -> None:
        self.runs: Counter[tuple[str, int]] = Counter()
        self.done: set[tuple[str, int]] = set()
        self.errors: list[str] = []
        self.ticks, self.ticking = 0, 0
        self.gate = asyncio.Event()
        self.bus = bus
        self._failed: set[int] = set()
        self._numbers = 0

    def app(self) -> Daebus:
        """One replica."""
        app = Daebus("lossy", settings=Settings(lease=LEASE))

        @app.action(CALLED)
        async def called(number: int) -> int:
            return await self._run("called", number)

        @app.action(SENT, retries=3, backoff=0.01)
        async def sent(number: int) -> None:
            if number % 5 == 0 and number not in self._failed:
                self._failed.add(number)
                raise Unavailable("on purpose")
            await self._run("sent", number)

        @app.action(KEYED)
        async def keyed(number: int) -> int:
            return await self._run("keyed", number)

        @app.action(HELD)
        async def held(number: int) -> None:
            self.runs["held", number] += 1
            await self.gate.wait()

        @app.listen(EVENTS, name="ear")
        async def on_event(number: int) -> None:
            await self._run("events", number)

        @app.background("tick", 0.05)
        async def tick() -> None:
            self.ticking += 1
            assert self.ticking == 1
            await asyncio.sleep(0.02)
            self.ticking -= 1
            self.ticks += 1

        return app

    async def _run(self, kind: str, number: int) -> int:
        self.runs[kind, number] += 1
        await asyncio.sleep(0.03)
        return number

    async def go(self) -> None:
        """Send one of each kind every 20 ms, until it is cancelled."""
        async with asyncio.TaskGroup() as sending:
            while True:
                self._numbers += 1
                for what in (self._call, self._send, self._keyed, self._publish):
                    sending.create_task(what(self._numbers))
                await asyncio.sleep(0.02)

    async def _call(self, number: int) -> None:
        await self._note("called", number, self.bus.call(CALLED, number, timeout=3))

    async def _send(self, number: int) -> None:
        await self._note("sent", number, self.bus.send(SENT, number))

    async def _keyed(self, number: int) -> None:
        await self._note("keyed", number, self.bus.call(KEYED, number, idempotency_key=str(number), timeout=3))

    async def _publish(self, number: int) -> None:
        await self._note("events", number, self.bus.publish(EVENTS, number))

    async def _note(self, kind: str, number: int, doing: Any) -> None:
        try:
            await doing
        except DaebusError as error:
            self.errors.append(f"{kind} {number}: {error!r}")
        else:
            self.done.add((kind, number))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@asynccontextmanager
async def loaded(engine: Engine) -> AsyncGenerator[tuple[Load, Any]]:
    """Two replicas under load, and a client of the server."""
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(raw_redis(engine.tcp_url))
        load = Load(await stack.enter_async_context(open_bus(engine.tcp_url, TIMINGS)))
        for _ in range(2):
            await stack.enter_async_context(running(load.app(), redis_url=engine.tcp_url, timings=TIMINGS))
        going = asyncio.create_task(load.go())
        try:
            await asyncio.sleep(LEASE * 1.2)  # each may take over what the dead leave
            yield load, redis
        finally:
            going.cancel()
            await asyncio.wait({going})


async def test_an_eviction_of_the_registry_gives_no_work_away(engine: Engine) -> None:
    async with AsyncExitStack() as stack:
        load = Load(await stack.enter_async_context(open_bus(engine.tcp_url, TIMINGS)))
        for _ in range(2):
            await stack.enter_async_context(running(load.app(), redis_url=engine.tcp_url, timings=TIMINGS))
        stack.callback(load.gate.set)
        for number in range(10):
            await load.bus.send(HELD, number)
        await asyncio.sleep(LEASE * 1.2)  # each may take over what the dead leave
        engine.ask(
            "CONFIG SET maxmemory-policy allkeys-random", "CONFIG SET maxmemory 4mb"
        )  # at the start it is refused
        with told() as lines:
            for number in range(20_000):
                if any(INSTANCES in line for line in lines):
                    break
                engine.ask(*(f"SET junk{number}:{part} {'x' * 20_000}" for part in range(20)))
                await asyncio.sleep(0.01)
            assert any(INSTANCES in line for line in lines)
            await asyncio.sleep(LEASE / 2)
        assert not [line for line in lines if "taken over" in line]
        assert {count for (kind, _), count in load.runs.items() if kind == "held"} == {1}


async def all_done(load: Load) -> set[tuple[str, int]]:
    """Wait until what has been acknowledged by now is handled."""
    done = set(load.done)
    await until(lambda: done <= set(load.runs), 5)
    return done


async def test_a_registry_or_note_that_is_deleted_loses_and_doubles_nothing(engine: Engine) -> None:
    # One after another, in some seconds, as replicas need a lease of load before they may take anything over.
    async with loaded(engine) as (load, redis):
        for what, line in KEYS.items():
            key, _, member = what.partition(" ")
            with told() as lines:
                ticks = load.ticks
                await (redis.zrem(key, member) if member else redis.delete(key))
                await until(lambda: load.ticks > ticks and (not line or line in " ".join(lines)))  # noqa: B023
                await all_done(load)
            # No run is started for half a lease after the record of a task is lost: times without a run are missed.
            expected = ("will be retried", *(["were missed"] if ":task:" in key else []))
            said = [text for text in lines if not any(one in text for one in expected)]
            assert [text for text in said if not line or line not in text] == [], what
            assert load.errors == [], what
            assert set(load.runs.values()) == {1}, what


async def test_a_queue_or_group_that_is_lost_costs_what_it_held_at_most(engine: Engine) -> None:
    async with loaded(engine) as (load, redis):
        for key, group, kind in ((SENT_STREAM, "daebus", "sent"), (CHANNEL_STREAM, "lossy:ear", "events")):
            load.runs = Counter(set(load.runs))
            with told() as lines:
                await redis.xgroup_destroy(key, group)
                await until(lambda: any(GROUP in line for line in lines))
                await all_done(load)
            held = {entry for entry, count in load.runs.items() if count > 1}
            assert {entry[0] for entry in held} <= {kind}
            assert load.errors == []
            known = set(load.runs)  # what the group held may still run once more
            with told() as lines:
                await redis.delete(key)
                await until(lambda: any(GROUP in line for line in lines))
                await asyncio.sleep(0.1)
                acknowledged, load.done = load.done, set()
                await until(lambda: len(load.done) > 20)
                await all_done(load)
            assert load.errors == []
            assert {count for entry, count in load.runs.items() if entry not in known} == {1}
            assert {entry[0] for entry in acknowledged - set(load.runs)} <= {kind}
