"""The server breaks in every way that servers have, and everything is as before when it is back."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.engines import Engine, open_proxy
from tests.support import until

from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.core.timings import Timings
from daebus.errors import Unavailable
from daebus.queues.lease_scripts import SCAN
from daebus.queues.leases import Lease
from daebus.telemetry.logs import make_logger

from .world import ECHO, NOTE, open_world, told


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: how it is made, how it is mended, what callers are told meanwhile."""

    name: str
    make: Callable[[Engine], object]
    mend: Callable[[Engine], object] = lambda _: None
    says: str = ""
    breaks_connections: bool = True
    options: tuple[str, ...] = ()


def restart(engine: Engine) -> None:
    engine.kill()
    engine.start()


def restart_with_much_data(engine: Engine) -> None:
    engine.ask("DEBUG POPULATE 3500", "SAVE")
    engine.kill()
    engine.start(wait=False)


def refuse_writes_as_the_disk_is_full(engine: Engine) -> None:
    gone = engine.path.parent / "gone"
    gone.mkdir()
    engine.ask(f"CONFIG SET dir {gone}")
    gone.rmdir()
    engine.ask("CONFIG SET save '1 1000000'")
    engine.ask("BGSAVE")
    deadline = time.monotonic() + 5
    while b"rdb_last_bgsave_status:err" not in engine.ask("INFO persistence"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def mend_the_disk(engine: Engine) -> None:
    engine.ask("CONFIG SET save ''")
    engine.ask(f"CONFIG SET dir {engine.path.parent}")


KILL = ("CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE normal")


def crowd_out(engine: Engine) -> None:
    engine.ask(*KILL, "CONFIG SET maxclients 1")


ANSWERING = ("--loading-process-events-interval-bytes", "1024")  # while it loads

FAULTS = [
    Fault("gone", Engine.kill, Engine.start, "is not reachable|broke|broken"),
    Fault("frozen", Engine.freeze, Engine.thaw, "did not answer in time", breaks_connections=False),
    Fault(
        "out of memory",
        lambda engine: engine.ask("CONFIG SET maxmemory 1"),
        lambda engine: engine.ask("CONFIG SET maxmemory 0"),
        "OOM",
        breaks_connections=False,
        options=("--maxmemory-policy", "noeviction"),
    ),
    Fault(
        "full disk",
        refuse_writes_as_the_disk_is_full,
        mend_the_disk,
        "MISCONF",
        breaks_connections=False,
        options=("--enable-protected-configs", "yes"),
    ),
    Fault(
        "too few replicas",
        lambda engine: engine.ask("CONFIG SET min-replicas-to-write 1"),
        lambda engine: engine.ask("CONFIG SET min-replicas-to-write 0"),
        "NOREPLICAS",
        breaks_connections=False,
    ),
    Fault(
        "made a replica",
        lambda engine: engine.ask("REPLICAOF 127.0.0.1 1"),
        lambda engine: engine.ask("REPLICAOF NO ONE"),
        "READONLY|broke|dropped",
    ),
    Fault(
        "restarted and loading its data",
        restart_with_much_data,
        says="LOADING|loading|broke|not reachable",
        options=("--enable-debug-command", "yes", "--key-load-delay", "400", *ANSWERING),
    ),
    Fault("too many clients", crowd_out, restart, "broke"),
]
LOSSES = [
    Fault("connections killed", lambda engine: engine.ask(*KILL)),
    Fault("restarted without its data", restart),
    Fault("flushed", lambda engine: engine.ask("FLUSHALL ASYNC", "SCRIPT FLUSH"), breaks_connections=False),
    Fault(
        "groups destroyed",
        lambda engine: engine.ask(
            "XGROUP DESTROY daebus:{faulty}:action:echo daebus",
            "XGROUP DESTROY daebus:{faulty}:action:note daebus",
            "XGROUP DESTROY daebus:channel:{faulty_many} faulty:two",
        ),
        breaks_connections=False,
    ),
]


@pytest.fixture
def engine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    fault = request.node.callspec.params.get("fault") if hasattr(request.node, "callspec") else None
    with Engine(tmp_path, *(fault.options if isinstance(fault, Fault) else ())) as engine:
        yield engine


def outage_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if "Reconnecting." in line or "Connected again" in line]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_callers_are_told_and_all_works_when_the_server_is_back(engine: Engine, fault: Fault) -> None:
    async with open_world(engine.url) as world:
        with told() as lines:
            # In a thread, as the connections of this process are to notice it when it happens.
            await asyncio.to_thread(fault.make, engine)
            spent = time.process_time()
            errors = [await world.fails() for _ in range(2)]
            await asyncio.sleep(0.3)
            assert time.process_time() - spent < 0.5, "a loop is hot"
            await asyncio.to_thread(fault.mend, engine)
            assert await world.comes_back() < 4
            if fault.breaks_connections:
                # The service and the caller are two processes in one here; one of them may have noticed nothing.
                await until(lambda: len(outage_lines(lines)) in {2, 4})
        assert "TRACEBACK" not in lines, lines
        assert len(lines) < 15, lines  # one of each group among them
        assert any(isinstance(error, Unavailable) for error in errors) or fault.name == "frozen"
        for error in errors:
            if isinstance(error, Unavailable):
                assert any(sign in str(error) for sign in fault.says.split("|")), str(error)


@pytest.mark.parametrize("fault", LOSSES, ids=lambda fault: fault.name)
async def test_what_the_server_lost_is_made_again(engine: Engine, fault: Fault) -> None:
    async with open_world(engine.url) as world:
        with told() as lines:
            await asyncio.to_thread(fault.make, engine)
            assert await world.comes_back() < 4
        assert "TRACEBACK" not in lines, lines
        assert len(lines) < 15, lines  # one of each group among them


async def test_what_was_queued_outlives_a_restart_with_the_data(tmp_path: Path) -> None:
    with Engine(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as engine:
        async with open_world(engine.url) as world:
            for number in range(300):
                await world.bus.send(NOTE, number)
                if number in {100, 200}:
                    restart(engine)
                    await world.comes_back()
            await until(lambda: {*range(300)} <= {*world.seen["note"]}, 10)


async def test_what_was_handed_to_a_connection_that_broke_is_taken_up_again(engine: Engine) -> None:
    async with open_proxy(engine.port) as proxy:
        async with open_world(f"redis://127.0.0.1:{proxy.port}/0", caller_url=engine.url) as world:
            proxy.swallow()
            await world.bus.send(NOTE, 7)
            await until(lambda: b":1\r\n" in engine.ask("XPENDING daebus:{faulty}:action:note daebus"))
            await proxy.cut()
            await until(lambda: 7 in world.seen["note"])
            await world.comes_back()
        assert world.seen["note"].count(7) == 1


async def test_a_connection_on_which_nothing_comes_any_more_is_found(engine: Engine) -> None:
    async with open_proxy(engine.port) as proxy:
        timings = Timings(patience=0.2, ping=0.1)
        link = ServerLink(RedisServer.from_url(f"redis://127.0.0.1:{proxy.port}", timings=timings))
        await link.start()
        try:
            with told() as lines:
                proxy.swallow()
                await until(lambda: not link.connected)
                await until(lambda: link.connected)
            assert await link.execute("PING") == b"PONG"
            assert len(outage_lines(lines)) == 2
        finally:
            await link.close()


async def test_a_service_gets_over_connections_on_which_nothing_comes_any_more(engine: Engine) -> None:
    timings = Timings(patience=0.5, ping=0.5)
    async with (
        open_proxy(engine.port) as proxy,
        open_world(f"redis://127.0.0.1:{proxy.port}/0", timings=timings) as world,
    ):
        with told() as lines:
            proxy.swallow()
            await world.fails()
            assert await world.comes_back() < 5
        assert "TRACEBACK" not in lines, lines
        assert len(lines) < 15, lines  # one of each group among them


async def test_connections_over_tcp_are_kept_alive(engine: Engine) -> None:
    session = await RedisServer.from_url(engine.tcp_url).connect()
    kept = session.transport.get_extra_info("socket")
    assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    await session.close()


async def test_a_server_without_memory_is_relieved_of_what_is_queued(engine: Engine) -> None:
    async with open_world(engine.url, lease=0.3) as world:
        world.gate.clear()
        for number in range(300):
            await world.bus.send(NOTE, number)
        engine.ask("CONFIG SET maxmemory 1", "CONFIG SET maxmemory-policy noeviction")
        await asyncio.sleep(0.5)  # longer than a lease: it must be renewed without memory
        world.gate.set()
        await until(lambda: {*range(300)} <= {*world.seen["note"]})
        await until(lambda: b":0\r\n" in engine.ask("XLEN daebus:{faulty}:action:note"))


async def test_slow_answers_are_only_slow(engine: Engine) -> None:
    async with open_proxy(engine.port) as proxy, open_world(f"redis://127.0.0.1:{proxy.port}/0") as world:
        with told() as lines:
            proxy.delay = 0.1
            assert await world.bus.call(ECHO, 1, timeout=5) == 1
        assert not lines


async def test_a_long_outage_is_recalled_with_its_reason_and_cheap(engine: Engine) -> None:
    async with open_world(engine.url, timings=Timings(first_reminder=1.0)) as world:
        with told() as lines:
            engine.kill()
            await world.fails()
            spent, began = time.process_time(), time.monotonic()
            await until(lambda: any("No connection for" in line for line in lines), 15)
            share = (time.process_time() - spent) / (time.monotonic() - began)
            engine.start()
            assert await world.comes_back() < 4
        assert share < 0.1
        assert any("is not reachable" in line for line in lines)


async def test_no_owner_is_taken_for_dead_before_it_had_a_lease_to_beat_on_a_server_that_forgot(engine: Engine) -> None:
    stream, registry = "daebus:{x}:stream", "daebus:{x}:instances"
    async with open_node(RedisServer.from_url(engine.url)) as node:
        lease = Lease(node, [registry], 0.5, make_logger())
        await lease.start()
        try:
            await until(lambda: lease.may_take_over)
            engine.ask(
                f"XGROUP CREATE {stream} g 0 MKSTREAM",
                f"XADD {stream} * request r",
                f"XREADGROUP GROUP g other STREAMS {stream} >",
                f"DEL {registry}",
            )
            forgot = time.monotonic()

            async def taken() -> bool:
                await node.link.script(SCAN, [registry, stream], ["g", node.id, 500])
                return bool((await lease.take_over(stream, registry, "g", 5, [b"other"])).entries)

            await until(taken)
            assert time.monotonic() - forgot >= 0.5
        finally:
            await lease.stop()
