"""A replica is cut off for longer than its lease: what others have taken over is no longer its own, all else is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.engines import Engine, Proxy, open_proxy
from tests.faults.world import told
from tests.support import open_bus, raw_redis, until

from daebus import Action, Bus, Channel, Context, Daebus, Settings, StreamAction
from daebus.core.stopping import Stopping
from daebus.core.timings import DEFAULT_TIMINGS
from daebus.queues.lapses import OnLapse
from daebus.testing import running

LEASE = 0.8

WORK = Action[str, str]("work", service="cut_off")
BLOCK = Action[str, str]("block", service="cut_off")
ITEMS = StreamAction[str, str]("items", service="cut_off")
EVENTS = Channel[str]("cut_off", durable=True)


class Replica:
    """What one replica does: each handler waits for its gate, and returns the replica's name.

    Attributes:
        seen: What has happened in it, in order, as ``begin work``, ``end work``, ``cancelled work``.
        fences: The fences of its deliveries.
        stopping: Whether it stops; None: it has handled nothing.
        fails: Whether its handlers fail.
    """

    def __init__(self, name: str, on_lapse: OnLapse = "cancel") -> None:
        self.name = name
        self.seen: list[str] = []
        self.fences: list[str] = []
        self.stopping: Stopping | None = None
        self.gate = asyncio.Event()
        self.thread_gate = threading.Event()
        self.fails = False
        self.app = Daebus("cut_off", settings=Settings(lease=LEASE, on_lapse=on_lapse, stop_timeout=5.0))
        self.app.action(WORK, retries=3, backoff=0.01)(self._work)
        self.app.listen(EVENTS, name="events")(self._event)

        @self.app.action(BLOCK)
        def block(_: str) -> str:
            self.seen.append("begin block")
            self.thread_gate.wait(20)
            self.seen.append("end block")
            return name

        @self.app.action(ITEMS)
        async def items(_: str) -> AsyncIterator[str]:
            yield f"{name} 1"
            await self._until_gate("items")
            yield f"{name} 2"

    async def _work(self, _: str, context: Context) -> str:
        self.fences.append(context.fence or "")
        self.stopping = context.stopping
        await self._until_gate("work")
        return self.name

    async def _event(self, _: str, context: Context) -> None:
        self.fences.append(context.fence or "")
        await self._until_gate("event")

    async def _until_gate(self, what: str) -> None:
        self.seen.append(f"begin {what}")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.seen.append(f"cancelled {what}")
            raise
        self.seen.append(f"end {what}")
        if self.fails:
            raise ValueError("on purpose")


class Fleet:
    """Two replicas, one of which is behind a proxy; the other one starts when it is asked to.

    Attributes:
        cut_off: The replica behind the proxy.
        heir: The other one.
        proxy: The proxy.
        bus: That of a caller.
        service: Stops the replica behind the proxy.
    """

    def __init__(self, engine: Engine, proxy: Proxy, bus: Bus, on_lapse: OnLapse, stack: AsyncExitStack) -> None:
        self.engine = engine
        self.proxy = proxy
        self.bus = bus
        self.cut_off = Replica("a", on_lapse)
        self.heir = Replica("b", on_lapse)
        self.service = AsyncExitStack()
        self._stack = stack

    async def start(self) -> None:
        self._stack.push_async_callback(self.service.aclose)
        url = f"redis://127.0.0.1:{self.proxy.port}/0"
        await self.service.enter_async_context(running(self.cut_off.app, redis_url=url))

    async def start_heir(self) -> None:
        await self._stack.enter_async_context(running(self.heir.app, redis_url=self.engine.tcp_url))

    async def lapse(self, *begun: str) -> None:
        """The one behind the proxy is cut off until the other one has begun what was in hand there; then no longer."""
        await until(lambda: set(begun) <= set(self.cut_off.seen))
        await self.start_heir()
        self.proxy.stall()
        await until(lambda: set(begun) <= set(self.heir.seen))
        self.proxy.flow()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@asynccontextmanager
async def fleet(engine: Engine, on_lapse: OnLapse = "cancel") -> AsyncGenerator[Fleet]:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(open_proxy(engine.port))
        bus = await stack.enter_async_context(open_bus(engine.tcp_url, DEFAULT_TIMINGS))
        made = Fleet(engine, proxy, bus, on_lapse, stack)
        await made.start()
        yield made
        proxy.flow()
        for replica in (made.cut_off, made.heir):
            replica.gate.set()
            replica.thread_gate.set()


async def test_what_was_taken_over_is_cancelled_and_told(engine: Engine) -> None:
    with told() as lines:
        async with fleet(engine) as two:
            call = asyncio.create_task(two.bus.call(WORK, "x", timeout=30))
            await two.lapse("begin work")
            await until(lambda: "cancelled work" in two.cut_off.seen)
            two.heir.gate.set()
            assert await call == "b"
            assert two.heir.fences > two.cut_off.fences
    told_of = "entries=1 handlers={'action work': 1}"
    assert any("cut off for longer than its lease" in line and told_of in line for line in lines)
    lost = [line for line in lines if "other instances have taken over entries" in line]
    assert [told_of in line and "cancelled=True" in line for line in lost] == [True]


async def test_the_outcome_of_what_was_taken_over_is_dropped(engine: Engine) -> None:
    with told() as lines:
        async with fleet(engine, "continue") as two:
            call = asyncio.create_task(two.bus.call(WORK, "x", timeout=30))
            await two.lapse("begin work")
            two.cut_off.gate.set()
            await until(lambda: "end work" in two.cut_off.seen)
            await until(lambda: any("outcome dropped" in line for line in lines))
            assert not call.done()
            two.heir.gate.set()
            assert await call == "b"
    assert "cancelled work" not in two.cut_off.seen


async def test_a_keyed_run_that_was_taken_over_ends_once(engine: Engine) -> None:
    with told() as lines:
        async with fleet(engine, "continue") as two:
            call = asyncio.create_task(two.bus.call(WORK, "x", timeout=30, idempotency_key="k"))
            await two.lapse("begin work")
            two.cut_off.gate.set()
            await until(lambda: any("outcome dropped" in line for line in lines))
            two.heir.gate.set()
            assert await call == "b"
            assert await two.bus.call(WORK, "x", timeout=30, idempotency_key="k") == "b"
            assert two.heir.fences > two.cut_off.fences


async def test_what_fails_after_it_was_taken_over_is_neither_retried_nor_buried(engine: Engine) -> None:
    async with fleet(engine, "continue") as two:
        await two.bus.send(WORK, "x")
        await two.bus.publish(EVENTS, "x")
        await two.lapse("begin work", "begin event")
        two.cut_off.fails = True
        two.cut_off.gate.set()
        await until(lambda: {"end work", "end event"} <= set(two.cut_off.seen))
        two.heir.gate.set()
        await until(lambda: {"end work", "end event"} <= set(two.heir.seen))
        await until(lambda: engine.ask("XLEN daebus:{cut_off}:action:work") == b":0\r\n")
        assert engine.ask("ZCARD daebus:{cut_off}:retries", "XLEN daebus:{cut_off}:dead") == b":0\r\n:0\r\n"
    assert sorted(two.heir.seen) == ["begin event", "begin work", "end event", "end work"]


async def test_items_of_a_stream_that_was_taken_over_are_not_sent(engine: Engine) -> None:
    async with (
        fleet(engine, "continue") as two,
        raw_redis(engine.tcp_url) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as replies,
    ):
        await replies.subscribe("daebus:reply:test")
        sent = list[bytes]()

        async def heard(item: bytes) -> bool:
            message = await replies.get_message(timeout=0.01)
            sent.extend(() if message is None else (message["data"],))
            return any(item in each for each in sent)

        # A caller of daebus would cancel the stream, as it began again.
        request = {"action": "items", "payload": "x", "reply_to": "daebus:reply:test", "request_id": "t-1"}
        await redis.xadd("daebus:{cut_off}:action:items", {"request": json.dumps(request)})
        await until(lambda: heard(b"a 1"))
        with told() as lines:
            await two.lapse("begin items")
            two.cut_off.gate.set()
            await until(lambda: "end items" in two.cut_off.seen)
            await until(lambda: any("outcome dropped" in line for line in lines))
        two.heir.gate.set()
        await until(lambda: heard(b"b 2"))
        assert not await heard(b"a 2")


async def test_a_thread_that_cannot_be_cancelled_runs_on_and_its_outcome_is_dropped(engine: Engine) -> None:
    async with fleet(engine) as two:
        call = asyncio.create_task(two.bus.call(BLOCK, "x", timeout=30))
        with told() as lines:
            await two.lapse("begin block")
            await until(lambda: any("cancelled=True" in line for line in lines))
        two.cut_off.thread_gate.set()
        await until(lambda: "end block" in two.cut_off.seen)
        assert not call.done()
        two.heir.thread_gate.set()
        assert await call == "b"


async def test_what_nobody_has_taken_over_goes_on_and_counts(engine: Engine) -> None:
    with told() as lines:
        async with fleet(engine) as two:
            call = asyncio.create_task(two.bus.call(WORK, "x", timeout=30))
            for lapses in (1, 2):
                await until(lambda: "begin work" in two.cut_off.seen)
                two.proxy.stall()
                await asyncio.sleep(2 * LEASE)
                two.proxy.flow()
                await until(lambda: len([line for line in lines if "cut off" in line]) >= lapses)  # noqa: B023
            two.cut_off.gate.set()
            assert await call == "a"
            assert await two.bus.call(WORK, "y", timeout=30) == "a"
    assert "cancelled work" not in two.cut_off.seen
    assert not [line for line in lines if "outcome dropped" in line]


async def test_who_is_cut_off_while_it_stops_cancels_what_was_taken_over_and_stops(engine: Engine) -> None:
    async with fleet(engine) as two:
        call = asyncio.create_task(two.bus.call(WORK, "x", timeout=30))
        await until(lambda: "begin work" in two.cut_off.seen)
        await two.start_heir()
        closing = asyncio.create_task(two.service.aclose())
        await until(lambda: two.cut_off.stopping is not None and two.cut_off.stopping.is_set())
        two.proxy.stall()
        await until(lambda: "begin work" in two.heir.seen)
        two.proxy.flow()
        await until(lambda: "cancelled work" in two.cut_off.seen)
        await closing
        two.heir.gate.set()
        assert await call == "b"


async def test_what_was_replayed_retried_or_lost_with_its_group_meanwhile_ends_nothing(engine: Engine) -> None:
    stream = "daebus:{cut_off}:action:work"
    with told() as lines:
        async with fleet(engine) as two:
            await two.bus.send(WORK, "x")
            await until(lambda: "begin work" in two.cut_off.seen)
            two.proxy.stall()
            await asyncio.sleep(1.5 * LEASE)
            engine.ask(f"XGROUP DESTROY {stream} daebus", f"XTRIM {stream} MAXLEN 0")
            two.proxy.flow()
            await until(lambda: "cancelled work" in two.cut_off.seen)
            two.cut_off.gate.set()
            assert await two.bus.call(WORK, "y", timeout=30) == "a"
    assert not [line for line in lines if "TRACEBACK" in line]
