"""The server, or the way to it, stands still for longer than a lease: whoever lives keeps its work."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.engines import Engine, open_proxy
from tests.processes import Service, launched
from tests.support import until

from daebus import Action, Bus, Channel
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.tasks.records import TaskRecord

LEASE = 1.0
MESSAGES = 20

WORKER = """
import asyncio, os
from daebus import Channel, Daebus, Settings

app = Daebus("stalled", settings=Settings(lease=float(os.environ["LEASE"]), max_concurrency=12, stop_timeout=1.0))
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def work(kind: str, number: int) -> None:
    os.write(ledger, f"begin {kind} {number} {os.getpid()}\\n".encode())
    await asyncio.sleep(float(os.environ["SECONDS"]))
    os.write(ledger, f"end {kind} {number} {os.getpid()}\\n".encode())

@app.action("work")
async def on_work(number: int) -> None:
    await work("send", number)

@app.listen(Channel[int]("stalled", durable=True))
async def on_event(number: int) -> None:
    await work("event", number)

@app.background("tick", 0.1)
async def tick() -> None:
    if os.environ.get("TICKS"):
        await work("tick", 0)

app.run(service="stalled")
"""

WORK = Action[int, None]("work", service="stalled")
EVENTS = Channel[int]("stalled", durable=True)


class Ledger:
    """What the replicas have begun and ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[tuple[str, str, int, int]]:
        """What, of which kind, which number, by whom."""
        texts = self.path.read_text().splitlines() if self.path.exists() else []
        parts = [text.split() for text in texts]
        return [(what, kind, int(number), int(pid)) for what, kind, number, pid in parts]

    def begun(self) -> Counter[tuple[str, int]]:
        return Counter((kind, number) for what, kind, number, _ in self.lines() if what == "begin")

    def ended(self) -> Counter[tuple[str, int]]:
        return Counter((kind, number) for what, kind, number, _ in self.lines() if what == "end")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@contextmanager
def replicas(folder: Path, *urls: str, seconds: float, ticks: bool = False) -> Generator[tuple[Ledger, list[Service]]]:
    """Replicas with handlers, and where it `ticks` a background task, that take so many seconds."""
    program, ledger = folder / "worker.py", folder / "ledger"
    program.write_text(WORKER)
    known = {"LEASE": str(LEASE), "LEDGER": str(ledger), "SECONDS": str(seconds), "TICKS": "1" if ticks else ""}
    command = (sys.executable, str(program))
    with ExitStack() as stack:
        started = [stack.enter_context(launched(*command, cwd=folder, DAEBUS_REDIS_URL=url, **known)) for url in urls]
        for service in started:
            service.wait_for("service started")
        yield Ledger(ledger), started


async def fill(url: str) -> set[tuple[str, int]]:
    """Give the replicas work; what it is."""
    async with Bus(url) as bus:
        for number in range(MESSAGES):
            await bus.send(WORK, number)
            await bus.publish(EVENTS, number)
    return {(kind, number) for kind in ("send", "event") for number in range(MESSAGES)}


async def is_done(engine: Engine, ledger: Ledger, work: set[tuple[str, int]]) -> None:
    """Wait until all is done and nobody has anything in hand."""
    await until(lambda: work <= set(ledger.ended()), 30)
    await until(lambda: engine.ask("XLEN daebus:{stalled}:action:work") == b":0\r\n")


@pytest.mark.parametrize("leases", [0.4, 1.6, 3.0])
async def test_a_server_that_hangs_costs_nobody_who_lives_any_work(
    engine: Engine, tmp_path: Path, leases: float
) -> None:
    url = engine.tcp_url
    with replicas(tmp_path, url, url, seconds=(leases + 1.5) * LEASE) as (ledger, _):
        await asyncio.sleep(LEASE * 1.2)  # each may take over what the dead leave
        work = await fill(url)
        await until(lambda: set(ledger.begun()) == work)
        engine.freeze()
        await asyncio.sleep(leases * LEASE)
        engine.thaw()
        await is_done(engine, ledger, work)
        assert set(ledger.begun().values()) == {1}
        assert len({pid for *_, pid in ledger.lines()}) == 2, "both had some of it"


async def test_a_way_to_the_server_that_stalls_for_all_costs_nobody_any_work(engine: Engine, tmp_path: Path) -> None:
    async with open_proxy(engine.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        with ExitStack() as stack:  # in a thread, as they start through the proxy
            ledger, _ = await asyncio.to_thread(stack.enter_context, replicas(tmp_path, url, url, seconds=4 * LEASE))
            await asyncio.sleep(LEASE * 1.2)
            work = await fill(engine.tcp_url)
            await until(lambda: set(ledger.begun()) == work)
            proxy.stall()
            await asyncio.sleep(2 * LEASE)
            proxy.flow()
            await is_done(engine, ledger, work)
            assert set(ledger.begun().values()) == {1}


async def test_only_who_is_cut_off_alone_may_lose_its_work_and_all_of_it_is_done(
    engine: Engine, tmp_path: Path
) -> None:
    async with open_proxy(engine.port) as proxy:
        urls = (engine.tcp_url, f"redis://127.0.0.1:{proxy.port}/0")
        with ExitStack() as stack:
            ledger, (_, cut_off) = await asyncio.to_thread(
                stack.enter_context, replicas(tmp_path, *urls, seconds=4 * LEASE)
            )
            await asyncio.sleep(LEASE * 1.2)
            work = await fill(engine.tcp_url)
            await until(lambda: set(ledger.begun()) == work)
            proxy.stall()
            await until(lambda: max(ledger.begun().values()) == 2)
            proxy.flow()
            await is_done(engine, ledger, work)
            first = {(kind, number): pid for what, kind, number, pid in reversed(ledger.lines()) if what == "begin"}
            again = {key for key, count in ledger.begun().items() if count > 1}
            assert {first[key] for key in again} == {cut_off.process.pid}


async def test_a_replica_that_dies_while_the_server_hangs_is_taken_over_a_lease_after_that(
    engine: Engine, tmp_path: Path
) -> None:
    with replicas(tmp_path, *[engine.tcp_url] * 2, seconds=LEASE) as (ledger, (doomed, _)):
        await asyncio.sleep(LEASE * 1.2)
        work = await fill(engine.tcp_url)
        await until(lambda: set(ledger.begun()) == work)
        engine.freeze()
        doomed.process.kill()
        await asyncio.sleep(1.5 * LEASE)
        engine.thaw()
        thawed = asyncio.get_running_loop().time()
        await until(lambda: max(ledger.begun().values()) == 2)
        assert asyncio.get_running_loop().time() - thawed > LEASE * 0.9
        await is_done(engine, ledger, work)
        first = {(kind, number): pid for what, kind, number, pid in reversed(ledger.lines()) if what == "begin"}
        again = {key for key, count in ledger.begun().items() if count > 1}
        assert again == {key for key, pid in first.items() if pid == doomed.process.pid}


@pytest.mark.parametrize("leases", [0.6, 1.6])
async def test_a_background_task_runs_on_one_replica_though_the_server_hung(
    engine: Engine, tmp_path: Path, leases: float
) -> None:
    with replicas(tmp_path, *[engine.tcp_url] * 2, seconds=(leases + 1) * LEASE, ticks=True) as (ledger, _):
        for count in range(1, 3):
            await until(lambda: ledger.begun()["tick", 0] > ledger.ended()["tick", 0])
            begun = ledger.begun()["tick", 0]
            await asyncio.sleep(LEASE / 2)  # the others look at it
            engine.freeze()
            await asyncio.sleep(leases * LEASE)
            engine.thaw()
            await until(lambda: ledger.ended()["tick", 0] >= begun)  # noqa: B023  # called at once
            assert count <= begun
        whats = [what for what, *_ in ledger.lines()]
    assert whats == ["begin", "end"] * (len(whats) // 2) + ["begin"] * (len(whats) % 2)


async def test_a_question_that_waited_in_the_server_takes_no_background_task_from_its_owner(engine: Engine) -> None:
    server = RedisServer.from_url(engine.tcp_url)
    async with open_node(server) as owner, open_node(server) as other:
        records = [
            TaskRecord(node.link, service="x", task="t", instance=node.id, lease=LEASE) for node in (owner, other)
        ]
        mine, theirs = records
        last = (await mine.ask(0, 0, 0)).last
        claimed = await mine.ask(last, last, 0)
        assert claimed.won
        until_then = (await theirs.ask(last, 0, 0)).held_until
        engine.freeze()
        question = asyncio.create_task(theirs.ask(claimed.last, claimed.last, until_then))
        await asyncio.sleep(0.1)
        renewal = asyncio.create_task(mine.renew(claimed.last, claimed.fence))
        await asyncio.sleep(LEASE * 1.5)
        engine.thaw()
        assert not (await question).won
        assert await renewal


async def test_a_background_task_whose_owner_died_is_taken_over_though_the_server_hung(engine: Engine) -> None:
    async with open_node(RedisServer.from_url(engine.tcp_url)) as node:
        dead, heir = [
            TaskRecord(node.link, service="x", task="t", instance=name, lease=LEASE) for name in ("dead", "heir")
        ]
        last = (await dead.ask(0, 0, 0)).last
        claimed = await dead.ask(last, last, 0)
        engine.freeze()
        await asyncio.sleep(LEASE * 1.5)
        engine.thaw()
        held_until = claimed.now

        async def taken() -> bool:
            nonlocal held_until
            state = await heir.ask(claimed.last, claimed.last, held_until)
            held_until = state.held_until
            return state.won

        await until(taken, 10 * LEASE)
