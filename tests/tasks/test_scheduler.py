from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.clocks import OFFSET, open_clock
from tests.engines import Engine, open_proxy
from tests.faults.world import told
from tests.support import until

from daebus.connection.link import Link
from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.declare.schedules import Cron, Interval, Run, Schedule
from daebus.delivery.grace import Grace
from daebus.queues.lapses import OnLapse
from daebus.tasks.records import TaskRecord
from daebus.tasks.scheduler import ScheduledTask, Scheduler
from daebus.telemetry.logs import make_logger

LEASE = 0.5
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as server:
        yield server


@asynccontextmanager
async def linked(server: Engine, url: str | None = None) -> AsyncGenerator[ServerLink]:
    link = ServerLink(RedisServer.from_url(url or server.url))
    await link.start()
    try:
        yield link
    finally:
        await link.close()


@pytest.fixture
async def link(server: Engine) -> AsyncIterator[ServerLink]:
    async with linked(server) as link:
        yield link


@pytest.fixture
def service() -> str:
    return f"service{next(_numbers)}"


class Work:
    """A task's function, and what happened to it."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.starts: list[float] = []
        self.fences: list[str | None] = []
        self.ended = 0
        self.cancelled = 0
        self.running = 0
        self.most_at_once = 0
        self._seconds = seconds

    async def run(self, run: Run | None) -> None:
        self.fences.append(None if run is None else run.token)
        self.starts.append(time.monotonic())
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await asyncio.sleep(self._seconds)
            self.ended += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    def task(self, schedule: Schedule) -> ScheduledTask:
        return ScheduledTask(name="work", schedule=schedule, scope="service", run=self.run)


@asynccontextmanager
async def scheduler(
    link: Link,
    service: str,
    *tasks: ScheduledTask,
    instance: str = "i1",
    lease: float = LEASE,
    on_lapse: OnLapse = "cancel",
) -> AsyncGenerator[Scheduler]:
    logger = make_logger()
    scheduler = Scheduler(link, service=service, instance=instance, logger=logger, lease=lease, on_lapse=on_lapse)
    await scheduler.start(tasks)
    try:
        yield scheduler
    finally:
        await scheduler.stop(Grace(0))


async def record(link: Link, service: str) -> dict[bytes, bytes]:
    fields = await link.execute("HGETALL", f"daebus:{{{service}}}:task:work")
    assert isinstance(fields, list)
    texts = [field for field in fields if isinstance(field, bytes)]
    return dict(zip(texts[::2], texts[1::2], strict=True))


async def set_record(link: Link, service: str, **fields: str | int) -> None:
    await link.execute("HSET", f"daebus:{{{service}}}:task:work", *itertools.chain(*fields.items()))


def now_ms() -> int:
    return int(time.time() * 1000)


async def test_two_replicas_share_a_task_and_never_run_it_at_once(link: Link, service: str) -> None:
    work = Work(0.01)
    task = work.task(Interval(0.05))
    async with scheduler(link, service, task, instance="i1"), scheduler(link, service, task, instance="i2"):
        await until(lambda: len(work.starts) >= 12)
    assert work.most_at_once == 1
    assert work.fences == sorted(set(work.fences), key=str)
    assert (work.starts[-1] - work.starts[0]) / (len(work.starts) - 1) > 0.045
    assert b"owner" not in await record(link, service)


async def test_the_first_run_is_one_interval_after_the_first_start(link: Link, service: str) -> None:
    work = Work()
    began = time.monotonic()
    async with scheduler(link, service, work.task(Interval(0.25))):
        await until(lambda: bool(work.starts))
    assert work.starts[0] - began > 0.24


async def test_an_interval_counts_from_the_last_recorded_run(link: Link, service: str) -> None:
    work = Work()
    await set_record(link, service, last=now_ms() - 59_700)
    began = time.monotonic()
    async with scheduler(link, service, work.task(Interval(60))):
        await until(lambda: bool(work.starts))
    assert work.starts[0] - began > 0.2


@pytest.mark.parametrize("schedule", [Interval(60), Cron("0 0 1 1 *")])
async def test_runs_missed_while_the_service_was_down_become_one(link: Link, service: str, schedule: Schedule) -> None:
    work = Work()
    last = now_ms() - 3 * 366 * 86_400_000
    await set_record(link, service, last=last)
    async with scheduler(link, service, work.task(schedule)):
        await until(lambda: work.ended == 1)
        recorded = int((await record(link, service))[b"last"])
    async with scheduler(link, service, work.task(schedule), instance="i2"):
        await asyncio.sleep(0.1)  # nothing shows that a second run does not come but its absence
    assert len(work.starts) == 1
    assert abs(recorded - now_ms()) < 5_000


async def test_a_run_longer_than_its_interval_and_lease_overlaps_nothing(link: Link, service: str) -> None:
    work = Work(0.4)
    task = work.task(Interval(0.05))
    async with (
        scheduler(link, service, task, instance="i1", lease=0.3),
        scheduler(link, service, task, instance="i2", lease=0.3),
    ):
        await until(lambda: work.ended >= 3)
    assert work.most_at_once == 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(work.starts)]
    assert min(gaps) > 0.39  # the runs that were missed meanwhile are not made up for
    assert max(gaps) < 1.5  # but the next one does not wait


async def test_each_replica_runs_a_task_of_scope_replica(link: Link, service: str) -> None:
    works = [Work(0.1), Work(0.1)]
    tasks = [
        ScheduledTask(name="work", schedule=Interval(0.05), scope="replica", run=works[0].run),
        ScheduledTask(name="work", schedule=Interval(0.05), scope="replica", run=works[1].run),
    ]
    async with (
        scheduler(link, service, tasks[0], instance="i1"),
        scheduler(link, service, tasks[1], instance="i2"),
    ):
        await until(lambda: all(len(work.starts) >= 3 for work in works))
    assert [work.most_at_once for work in works] == [1, 1]
    assert {fence for work in works for fence in work.fences} == {None}
    assert await record(link, service) == {}


async def test_a_task_that_fails_goes_on(link: Link, service: str, caplog: pytest.LogCaptureFixture) -> None:
    starts: list[str] = []

    async def fail(_: Run | None) -> None:
        starts.append("fail")
        raise ValueError("on purpose")

    async def give_up(_: Run | None) -> None:
        starts.append("give up")
        raise asyncio.CancelledError

    tasks = [
        ScheduledTask(name="fail", schedule=Interval(0.03), scope="service", run=fail),
        ScheduledTask(name="give up", schedule=Interval(0.03), scope="service", run=give_up),
    ]
    async with scheduler(link, service, *tasks):
        await until(lambda: starts.count("fail") >= 3 and starts.count("give up") >= 3)
    failures = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert len(failures) == starts.count("fail")
    assert "A background task failed; its schedule continues. task='fail'" in failures[0].getMessage()
    assert failures[0].exc_info is not None


async def test_stop_waits_for_a_run_and_starts_no_other(link: Link, service: str) -> None:
    work = Work(0.2)
    async with scheduler(link, service, work.task(Interval(0.05))) as stopped:
        await until(lambda: work.running == 1)
        await stopped.stop(Grace(5))
    assert (work.ended, work.cancelled, len(work.starts)) == (1, 0, 1)


async def test_stop_cancels_a_run_that_lasts_too_long_and_frees_the_task(link: Link, service: str) -> None:
    endless, other = Work(3600), Work()
    async with scheduler(link, service, endless.task(Interval(0.05)), lease=30) as stopped:
        await until(lambda: endless.running == 1)
        began = time.monotonic()
        await stopped.stop(Grace(0.05))
        assert 0.04 < time.monotonic() - began < 1
    assert (endless.ended, endless.cancelled) == (0, 1)
    async with scheduler(link, service, other.task(Interval(0.05)), instance="i2", lease=30):
        await until(lambda: bool(other.starts), seconds=1)


async def test_stop_is_quick_while_nothing_runs(link: Link, service: str) -> None:
    task = Work().task(Interval(3600))
    local = ScheduledTask(name="local", schedule=Cron("0 0 1 1 *"), scope="replica", run=Work().run)
    async with scheduler(link, service, task, local) as stopped:
        began = time.monotonic()
        await stopped.stop(Grace(10))
        assert time.monotonic() - began < 0.5
        await stopped.stop(Grace(10))


OWNER = """
import asyncio, sys
from daebus.telemetry.logs import make_logger
from daebus.declare.schedules import Interval
from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.tasks.scheduler import ScheduledTask, Scheduler

async def work(fence):
    print("started", flush=True)
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled", flush=True)

async def main(url, service, lease, on_lapse="cancel"):
    link = ServerLink(RedisServer.from_url(url))
    await link.start()
    instance = f"owner-{float(lease) * 1000:.0f}"
    scheduler = Scheduler(
        link, service=service, instance=instance, logger=make_logger(), lease=float(lease), on_lapse=on_lapse
    )
    await scheduler.start([ScheduledTask(name="work", schedule=Interval(0.02), scope="service", run=work)])
    await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def owner(server: Engine, service: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the task `work` and does not finish."""
    arguments = [sys.executable, "-c", OWNER, server.url, service, str(LEASE)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        yield process
        process.kill()


async def test_a_killed_replica_blocks_the_task_until_its_lease_is_out(
    link: ServerLink, service: str, owner: subprocess.Popen[str]
) -> None:
    work = Work()
    async with scheduler(link, service, work.task(Interval(0.02)), instance="heir"):
        await asyncio.sleep(LEASE * 1.5)  # the owner lives and renews
        assert work.starts == []
        killed = time.monotonic()
        owner.kill()
        await until(lambda: bool(work.starts))
    # The last renewal was at most a third of the lease before the kill.
    assert work.starts[0] - killed > LEASE * 0.5


async def test_a_frozen_replica_gives_up_the_task_that_was_taken_over(
    link: ServerLink, service: str, owner: subprocess.Popen[str]
) -> None:
    work = Work(3600)
    async with scheduler(link, service, work.task(Interval(0.02)), instance="heir"):
        os.kill(owner.pid, signal.SIGSTOP)
        await until(lambda: work.running == 1)
        os.kill(owner.pid, signal.SIGCONT)
        assert owner.stdout is not None
        assert await asyncio.wait_for(asyncio.to_thread(owner.stdout.readline), 5) == "cancelled\n"
        assert (work.running, len(work.starts)) == (1, 1)


async def test_a_run_that_was_taken_over_goes_on_if_that_is_wanted_and_has_a_smaller_fence(
    server: Engine, link: ServerLink, service: str
) -> None:
    frozen, heir = Work(3600), Work(3600)
    async with open_proxy(server.port) as proxy, linked(server, f"redis://127.0.0.1:{proxy.port}/0") as stalled:
        starting = scheduler(stalled, service, frozen.task(Interval(0.02)), instance="frozen", on_lapse="continue")
        async with starting:
            await until(lambda: frozen.running == 1)
            async with scheduler(link, service, heir.task(Interval(0.02)), instance="heir"):
                with told() as lines:
                    proxy.stall()
                    await until(lambda: heir.running == 1)
                    proxy.flow()
                    await until(lambda: any("taken over by another replica" in line for line in lines))
                assert (frozen.running, frozen.cancelled) == (1, 0)
                assert str(frozen.fences[0]) < str(heir.fences[0])


async def test_fences_grow_though_the_record_was_lost(link: ServerLink, service: str) -> None:
    one, two = made(link, service, "i1"), made(link, service, "i2")
    last = (await one.ask(0, 0, 0)).last
    first = await one.ask(last, 1, 0)
    assert first.won
    await link.execute("DEL", f"daebus:{{{service}}}:task:work")
    await set_record(link, service, last=first.last)
    await asyncio.sleep(0.002)
    second = await two.ask(first.last, 1, 0)
    assert second.won
    assert second.fence > first.fence
    await link.execute("DEL", f"daebus:{{{service}}}:task:work")
    later = first.fence + 3_600_000  # the clock was set back since
    assert await two.renew(second.last, later)
    await two.release(second.last, later)
    third = await one.ask(second.last, 1, 0)
    assert third.won
    assert third.fence > later


@pytest.mark.parametrize("left_ms", [-60_000, 60])
async def test_a_lease_is_watched_before_it_is_taken(link: ServerLink, service: str, left_ms: int) -> None:
    work = Work()
    await set_record(link, service, last=1, owner="other", until=now_ms() + left_ms)
    began = time.monotonic()
    async with scheduler(link, service, work.task(Interval(0.02))):
        await until(lambda: bool(work.starts))
    assert work.starts[0] - began > LEASE * 0.3


async def test_a_run_outlives_a_server_that_loses_its_data(
    service: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(1.5)
    task = work.task(Interval(0.05))
    with Engine(tmp_path) as server:
        async with (
            linked(server) as one,
            linked(server) as two,
            scheduler(one, service, task, instance="i1", lease=4),
            scheduler(two, service, task, instance="i2", lease=4),
        ):
            await until(lambda: work.running == 1)
            server.kill()
            used = time.process_time()
            await until(lambda: "Background tasks wait for the server." in caplog.text)
            await asyncio.sleep(0.3)
            assert time.process_time() - used < 0.15
            server.start()
            await until(lambda: len(work.starts) == 2)
    assert (work.most_at_once, work.ended) == (1, 1)
    assert work.starts[1] - work.starts[0] > 1.5


def made(link: Link, service: str, instance: str) -> TaskRecord:
    return TaskRecord(link, service=service, task="work", instance=instance, lease=10)


async def test_a_claim_wins_once_for_each_start(link: ServerLink, service: str) -> None:
    one, two = made(link, service, "i1"), made(link, service, "i2")
    first = await one.ask(0, 0, 0)
    assert (first.won, first.last, first.held_until) == (False, first.now, 0)
    assert not (await two.ask(first.last, first.now + 60_000, 0)).won  # not due
    assert not (await two.ask(first.last - 1, 1, 0)).won  # another start is recorded
    won = await one.ask(first.last, 1, 0)
    assert (won.won, won.last) == (True, won.now)
    lost = await two.ask(won.last, 1, 0)
    assert not lost.won
    assert won.now + 9_000 < lost.held_until <= won.now + 10_000
    await two.release(7, won.fence)  # it is not its own
    assert not (await two.ask(won.last, 1, 0)).won
    await one.release(won.last, won.fence)
    assert (await two.ask(won.last, 1, 0)).won


async def test_a_claim_whose_answer_got_lost_is_won_when_asked_again(link: ServerLink, service: str) -> None:
    instance = made(link, service, "i1")
    before = (await instance.ask(0, 0, 0)).last - 1_000
    await set_record(link, service, last=before)
    won = await instance.ask(before, 1, 0)
    again = await instance.ask(before, 1, 0)
    assert (again.won, again.last) == (True, won.last)


async def test_the_end_of_a_run_that_is_executed_late_does_not_end_the_next_run(link: ServerLink, service: str) -> None:
    owner, other = made(link, service, "i1"), made(link, service, "i2")
    await set_record(link, service, last=1)
    first = await owner.ask(1, 1, 0)
    second = await owner.ask(first.last, 1, 0)
    assert first.won
    assert second.won
    await owner.release(first.last, first.fence)  # sent when the first run ended, on a connection that then broke
    assert not (await other.ask(first.last, 1, 0)).won
    assert not (await other.ask(second.last, 1, 0)).won
    await owner.release(second.last, second.fence)
    assert (await other.ask(second.last, 1, 0)).won


async def test_a_lease_lost_to_another_run_is_not_renewed(link: ServerLink, service: str) -> None:
    slow, quick = made(link, service, "i1"), made(link, service, "i2")
    await set_record(link, service, last=1)
    started = (await slow.ask(1, 1, 0)).last
    assert await slow.renew(started, 1)
    await set_record(link, service, until=2)
    taken = await quick.ask(started, 1, 2)
    assert taken.won
    assert not await slow.renew(started, 1)
    await asyncio.sleep(0.002)
    await quick.release(taken.last + 1, taken.fence)
    assert not await slow.renew(started, 1)  # its run would be the second for one due time


async def test_a_record_that_vanished_leaves_time_to_the_one_that_runs(link: ServerLink, service: str) -> None:
    owner, other = made(link, service, "i1"), made(link, service, "i2")
    await set_record(link, service, last=1)
    started = (await owner.ask(1, 1, 0)).last
    await link.execute("DEL", f"daebus:{{{service}}}:task:work")
    state = await other.ask(started, 1, 0)
    assert (state.won, state.held_until > state.now) == (False, True)
    assert await owner.renew(started, 1)
    assert (await record(link, service))[b"owner"] == b"i1"


async def test_a_start_recorded_by_a_clock_that_was_ahead_does_not_block_the_task(
    link: ServerLink, service: str
) -> None:
    work = Work()
    await set_record(link, service, last=now_ms() + 86_400_000)
    async with scheduler(link, service, work.task(Interval(0.05))):
        await until(lambda: bool(work.starts), seconds=1)


@pytest.mark.parametrize("steps", [(3600, -3600), (-3600, 3600), (3600, -3600, 3600, -3600)])
async def test_a_clock_that_is_set_to_and_fro_ends_no_run_and_stops_no_schedule(
    server: Engine, service: str, steps: tuple[int, ...]
) -> None:
    long, short = Work(1.0), Work()
    async with open_clock(server) as clock, linked(server, clock.url) as one, linked(server, clock.url) as two:
        await one.execute("DEL", OFFSET)
        tasks = (
            ScheduledTask(name="long", schedule=Interval(0.05), scope="service", run=long.run),
            ScheduledTask(name="short", schedule=Interval(0.05), scope="service", run=short.run),
        )
        async with (
            scheduler(one, service, *tasks, instance="i1-500"),
            scheduler(two, service, *tasks, instance="i2-500"),
        ):
            await until(lambda: long.running == 1)
            for seconds in steps:
                clock.step(seconds)
                before, done = time.monotonic(), len(short.starts)
                await until(lambda: len(short.starts) > done + 1)  # noqa: B023  # called at once
                assert time.monotonic() - before < 1
            await until(lambda: long.ended == 2)
            assert (long.most_at_once, long.cancelled, short.most_at_once) == (1, 0, 1)


async def test_an_owner_that_died_before_the_clock_was_set_back_holds_the_task_for_a_lease(
    server: Engine, service: str
) -> None:
    async with open_clock(server) as clock, linked(server, clock.url) as link:
        await link.execute("DEL", OFFSET)
        dead, heir = made(link, service, "dead-500"), Work()
        last = (await dead.ask(0, 0, 0)).last
        assert (await dead.ask(last, last, 0)).won
        clock.step(-3600)
        async with scheduler(link, service, heir.task(Interval(0.02)), instance="heir-500"):
            await until(lambda: bool(heir.starts), 3)


async def test_a_time_that_comes_again_because_the_clock_was_set_back_is_run_once(server: Engine, service: str) -> None:
    work, other = Work(), Work()
    async with open_clock(server) as clock, linked(server, clock.url) as link:
        await link.execute("DEL", OFFSET)
        now = datetime.now(UTC)
        clock.step(3600 - (60 * now.minute + now.second))  # to the beginning of the next hour
        cron = Cron(f"30 {(now.hour + 1) % 24} * * *")
        async with scheduler(link, service, work.task(cron)):
            await until(lambda: last_of(link, service))
        clock.step(2700)
        async with scheduler(link, service, work.task(cron)):
            await until(lambda: len(work.starts) == 1)
        clock.step(-2700)
        async with scheduler(link, service, other.task(cron)):
            await asyncio.sleep(0.1)  # nothing shows that a second run does not come but its absence
        clock.step(2700)
        async with scheduler(link, service, other.task(cron)):
            await asyncio.sleep(0.1)
        assert other.starts == []
        clock.step(86_400)
        async with scheduler(link, service, other.task(cron)):
            await until(lambda: len(other.starts) == 1)


async def last_of(link: ServerLink, service: str) -> bool:
    return b"last" in await record(link, service)


async def test_an_owner_is_judged_by_its_own_lease_when_the_lease_is_changed(server: Engine, service: str) -> None:
    """The server hangs for longer than the owner's lease and for less than half that of the replica that asks first."""
    async with linked(server) as link, open_clock(server) as clock, linked(server, clock.url) as late:
        owner = TaskRecord(late, service=service, task="work", instance="owner-2000", lease=2)
        heir = TaskRecord(late, service=service, task="work", instance="heir-15000", lease=15)
        await link.execute("DEL", OFFSET)
        last = (await owner.ask(0, 0, 0)).last
        started = (await owner.ask(last, last, 0)).last
        state = await heir.ask(started, started, 0)
        assert state.held_for == 2000
        clock.step(5)
        state = await heir.ask(started, started, state.held_until)
        assert not state.won
        assert state.now < state.held_until <= state.now + 2000
        clock.step(1.9)
        state = await heir.ask(started, started, state.held_until)
        assert not state.won


async def test_a_dead_owner_with_a_short_lease_is_taken_over_by_one_with_a_long_lease_in_time(
    link: ServerLink, service: str, owner: subprocess.Popen[str]
) -> None:
    work = Work()
    async with scheduler(link, service, work.task(Interval(0.02)), instance="heir", lease=60):
        owner.kill()
        await until(lambda: bool(work.starts), 30)  # its own lease is twice as long
