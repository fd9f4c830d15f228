"""Runs of background tasks that replicas share: what each is told, and what is recorded of it."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.clocks import OFFSET, open_clock
from tests.engines import Engine
from tests.faults.world import told
from tests.support import until

from daebus.connection.link import Link
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.declare.schedules import Cron, Interval, Overlap, Run, Schedule, TaskPolicy
from daebus.errors import Unavailable
from daebus.operations.schedules import Schedules, TaskError
from daebus.operations.task_reports import RunReport
from daebus.tasks.records import End
from daebus.tasks.scheduler import ScheduledTask
from daebus.tasks.steering import Steering
from daebus.telemetry.logs import make_logger

from .test_scheduler import LEASE, linked, made, record, scheduler, set_record

FAR = Interval(3600)
NEVER = Cron("0 0 1 1 *")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as server:
        yield server


@pytest.fixture
def service(request: pytest.FixtureRequest) -> str:
    return f"runs{abs(hash(request.node.name))}"


class Work:
    """A task's function, which fails on demand, and its runs."""

    def __init__(self, seconds: float = 0.0, failures: int = 0) -> None:
        self.runs: list[Run] = []
        self._seconds = seconds
        self._failures = failures

    async def run(self, run: Run | None) -> None:
        assert run is not None
        self.runs.append(run)
        await asyncio.sleep(self._seconds)
        if len(self.runs) <= self._failures:
            raise ValueError("on purpose")

    def task(self, schedule: Schedule, **policy: Any) -> ScheduledTask:
        return ScheduledTask(
            name="work",
            schedule=schedule,
            scope="service",
            run=self.run,
            policy=TaskPolicy(**policy),
        )


@pytest.fixture
async def operator(server: Engine, service: str) -> AsyncIterator[Schedules]:
    async with operating(server, service) as operator:
        yield operator


@asynccontextmanager
async def operating(server: Engine, service: str) -> AsyncGenerator[Schedules]:
    async with open_node(RedisServer.from_url(server.url)) as node:
        yield Schedules(node, service, "ann@host")


@pytest.fixture
def link(operator: Schedules) -> Link:
    return operator.node.link


async def ended(operator: Schedules) -> list[RunReport]:
    """The history of the task, the oldest first."""
    try:
        return (await operator.history("work", 10_000))[::-1]
    except (TaskError, Unavailable):  # no instance has started yet, or the server has not
        return []


async def test_a_run_has_a_token_its_time_and_the_last_success(operator: Schedules, link: Link, service: str) -> None:
    work = Work(failures=2)
    async with scheduler(link, service, work.task(Interval(0.05))):
        await until(lambda: len(work.runs) >= 5)
    found = await ended(operator)
    tokens = [run.token for run in work.runs]
    assert tokens == sorted(set(tokens))
    assert [run.previous for run in work.runs[:3]] == [None, None, None]
    assert work.runs[3].previous == work.runs[2].scheduled_for
    assert all(later.scheduled_for > earlier.scheduled_for for earlier, later in pairwise(work.runs))
    assert abs(work.runs[0].scheduled_for - datetime.now(UTC)) < timedelta(seconds=5)
    assert [one.token for one in found] == tokens
    assert [one.outcome for one in found[:3]] == ["failed", "failed", "succeeded"]
    assert found[0].reason == "ValueError: on purpose"
    assert found[0].instance == "i1"


async def test_only_the_last_runs_are_kept(operator: Schedules, link: Link, service: str) -> None:
    work, none = Work(), Work()
    async with scheduler(link, service, work.task(Interval(0.02), history=3)):
        await until(lambda: len(work.runs) >= 6)
    kept = await ended(operator)
    assert [one.token for one in kept] == [run.token for run in work.runs[-3:]]
    async with scheduler(link, f"{service}b", none.task(Interval(0.02), history=0)):
        await until(lambda: len(none.runs) >= 2)
    assert await Schedules(operator.node, f"{service}b", "ann@host").history("work") == []


REPLICA = """
import asyncio, sys
from daebus.telemetry.logs import make_logger
from daebus.declare.schedules import Interval, TaskPolicy
from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.tasks.scheduler import ScheduledTask, Scheduler

async def main(url, service, instance):
    link = ServerLink(RedisServer.from_url(url))
    await link.start()
    async def work(run):
        print(run.token, flush=True)
        await asyncio.sleep(0.03)
        await link.execute("RPUSH", f"done:{service}", run.token)
    scheduler = Scheduler(link, service=service, instance=instance, logger=make_logger(), lease=0.5)
    policy = TaskPolicy(history=10_000)
    task = ScheduledTask(name="work", schedule=Interval(0.02), scope="service", run=work, policy=policy)
    await scheduler.start([task])
    await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def replicas(server: Engine, service: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Three processes with the task `work`."""
    with ExitStack() as stack:
        found: list[subprocess.Popen[str]] = []
        for number in range(3):
            command = [sys.executable, "-c", REPLICA, server.url, service, f"r{number}-500"]
            found.append(stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)))
        yield found
        for each in found:
            each.kill()


async def test_with_replicas_that_are_killed_no_run_is_doubled_or_unaccounted(
    operator: Schedules, link: Link, service: str, replicas: list[subprocess.Popen[str]]
) -> None:
    alive = {f"r{number}-500": each for number, each in enumerate(replicas)}
    while len(alive) > 1:
        before = len(await ended(operator))
        await until_async(partial(more_than, operator, before + 5), 20)
        await killed_in_a_run(link, service, alive)
    (last,) = alive.values()
    last.kill()
    heir = Work()
    async with scheduler(link, service, heir.task(FAR, history=10_000), instance="heir-500"):
        await until_async(partial(nobody_owns, link, service), 5)
    started = [line.strip() for each in replicas for line in each.stdout or ()]
    done = await tokens_done(link, service)
    outcomes = {one.token: one.outcome for one in await ended(operator)}
    assert len(outcomes) == len(await ended(operator)), "a run is recorded twice"
    assert len(done) == len(set(done)), "a run was done twice"
    assert set(started) <= set(outcomes), "a run that has started is not accounted for"
    assert {token for token, outcome in outcomes.items() if outcome == "succeeded"} <= set(done)
    assert {outcomes[token] for token in done} <= {"succeeded", "interrupted"}
    assert 2 <= list(outcomes.values()).count("interrupted") <= 3


async def killed_in_a_run(link: Link, service: str, alive: dict[str, subprocess.Popen[str]]) -> None:
    """Kill the replica that runs the task."""
    while True:
        owner = (await record(link, service)).get(b"owner", b"").decode()
        if owner in alive:
            alive[owner].send_signal(signal.SIGSTOP)
            if await owned_by(link, service, owner):
                break
            alive[owner].send_signal(signal.SIGCONT)
        await asyncio.sleep(0.003)
    alive.pop(owner).kill()


async def tokens_done(link: Link, service: str) -> list[str]:
    found = await link.execute("LRANGE", f"done:{service}", 0, -1)
    assert isinstance(found, list)
    return [token.decode() for token in found if isinstance(token, bytes)]


async def more_than(operator: Schedules, count: int) -> bool:
    return len(await ended(operator)) > count


async def owned_by(link: Link, service: str, instance: str) -> bool:
    return (await record(link, service)).get(b"owner") == instance.encode()


async def nobody_owns(link: Link, service: str) -> bool:
    return b"owner" not in await record(link, service)


async def until_async(holds: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def test_a_run_whose_instance_vanished_is_recorded_as_interrupted_before_the_next_one_is_due(
    operator: Schedules, link: Link, service: str
) -> None:
    dead = made(link, service, f"dead-{LEASE * 1000:.0f}")
    last = (await dead.ask(0, 0, 0)).last
    won = await dead.ask(last, last, 0)
    assert won.won
    heir = Work()
    with told() as lines:
        async with scheduler(link, service, heir.task(FAR), instance="heir-500"):
            await until_async(partial(nobody_owns, link, service), 5)
    (found,) = await ended(operator)
    assert (found.outcome, found.instance, found.reason) == ("interrupted", "dead-500", "its instance vanished")
    assert heir.runs == []
    assert any("run of a background task was interrupted" in line and "dead-500" in line for line in lines)


async def test_the_end_of_a_run_is_recorded_after_an_outage(service: str, tmp_path: Path) -> None:
    work = Work(0.5)
    with Engine(tmp_path) as server:
        async with operating(server, service) as operator:
            link = operator.node.link
            await set_record(link, service, last=1)
            async with scheduler(link, service, work.task(NEVER), lease=4):
                await until(lambda: len(work.runs) == 1)
                server.kill()
                await asyncio.sleep(0.6)  # the run ends meanwhile
                server.start()
                await until_async(partial(more_than, operator, 0))
            (found,) = await ended(operator)
    assert (found.token, found.outcome) == (work.runs[0].token, "succeeded")


async def test_a_run_that_was_returned_at_the_stop_is_run_by_another(link: Link, service: str) -> None:
    one = made(link, service, "i1")
    last = (await one.ask(0, 0, 0)).last
    await link.execute("RPUSH", f"daebus:{{{service}}}:task:work:wanted", "trigger 5000 ann@host")
    won = await one.ask(last, 0, 0)
    assert (won.won, won.by, won.scheduled, won.who) == (True, "trigger", 5000, "ann@host")
    await one.release(last, won.fence, End("returned"), won)
    heir = Work()
    async with scheduler(link, service, heir.task(FAR), instance="i2"):
        await until(lambda: len(heir.runs) == 1)
    assert (heir.runs[0].by, heir.runs[0].scheduled_for) == ("trigger", datetime.fromtimestamp(5, UTC))


@pytest.mark.parametrize(("overlap", "least"), [("wait", 2), ("skip", 2), ("cancel", 3)])
async def test_a_run_that_is_due_during_another_one(
    operator: Schedules, link: Link, service: str, overlap: Overlap, least: int
) -> None:
    work = Work(0.25)
    async with scheduler(link, service, work.task(Interval(0.1), overlap=overlap)):
        await until(lambda: len(work.runs) >= least)
    fields = await record(link, service)
    found = await ended(operator)
    first = found[0]
    assert first.outcome == ("cancelled" if overlap == "cancel" else "succeeded")
    if overlap == "cancel":
        assert first.reason == "the next run is due"
        assert first.ended - first.started < 230
    else:
        assert int(fields[b"missed"]) >= 1
    gap = found[1].started - first.ended
    assert (gap > 20) == (overlap == "skip")  # the next one is at its own time, 0.3 s after the first one


async def test_missed_times_become_one_run_and_are_counted(operator: Schedules, link: Link, service: str) -> None:
    work = Work()
    await set_record(link, service, last=int(time.time() * 1000) - 10 * 60_000)
    with told() as lines:
        async with scheduler(link, service, work.task(Cron("* * * * *"))):
            await until(lambda: len(work.runs) == 1)
            await until_async(partial(nobody_owns, link, service))
    fields = await record(link, service)
    assert int(fields[b"missed"]) == 9
    assert abs(datetime.now(UTC) - work.runs[0].scheduled_for) < timedelta(seconds=61)
    assert any("runs of a background task were missed" in line and "9" in line for line in lines)


async def test_missed_times_are_made_up_as_far_back_as_wanted(operator: Schedules, link: Link, service: str) -> None:
    work = Work()
    await set_record(link, service, last=int(time.time() * 1000) - 10 * 60_000)
    async with scheduler(link, service, work.task(Cron("* * * * *"), catch_up=185)):
        await until(lambda: len(work.runs) >= 3)
        await asyncio.sleep(0.1)  # nothing shows that no more runs come but their absence
    fields = await record(link, service)
    times = [run.scheduled_for for run in work.runs]
    assert 3 <= len(times) <= 4
    assert all(later - earlier == timedelta(minutes=1) for earlier, later in pairwise(times))
    assert len(times) + int(fields[b"missed"]) in (10, 11)


async def test_no_missed_time_is_made_up_without_a_window(server: Engine, link: Link, service: str) -> None:
    work, later = Work(), Work()
    async with open_clock(server) as clock, linked(server, clock.url) as late:
        await link.execute("DEL", OFFSET)
        now = datetime.now(UTC)
        clock.step(90 - now.second)  # to the middle of a minute
        await set_record(link, service, last=int(time.time() * 1000) - 600_000)
        async with scheduler(late, service, work.task(Cron("* * * * *"), catch_up=0)):
            await asyncio.sleep(0.1)  # nothing shows that no run comes but its absence
        clock.step(31)
        async with scheduler(late, service, later.task(Cron("* * * * *"), catch_up=0), instance="i2"):
            await until(lambda: len(later.runs) == 1)
        await link.execute("DEL", OFFSET)
        fields = await record(link, service)
    assert work.runs == []
    assert int(fields[b"missed"]) in (11, 12)


async def test_a_task_is_paused_after_failures_in_a_row(operator: Schedules, link: Link, service: str) -> None:
    work = Work(failures=1_000)
    with told() as lines:
        async with scheduler(link, service, work.task(Interval(0.02), pause_after=3)) as running:
            await until(lambda: len(work.runs) == 3)
            await asyncio.sleep(0.1)  # nothing shows that no more runs come but their absence
            assert len(work.runs) == 3
            (report,) = await operator.all()
            assert (report.paused_by, report.failures, report.next) == ("pause_after", 3, None)
            assert await operator.resume("work")
            running.wake("work")
            await until(lambda: len(work.runs) == 6)
    assert any("background task is paused" in line and "daebus schedules resume" in line for line in lines)


async def test_a_paused_task_runs_only_when_it_is_triggered_and_the_times_of_the_pause_are_missed(
    operator: Schedules, link: Link, service: str
) -> None:
    work = Work()
    async with scheduler(link, service, work.task(Interval(0.1))) as running:
        await until(lambda: bool(work.runs))
        assert await operator.pause("work")
        assert not await operator.pause("work")
        await until_async(partial(nobody_owns, link, service))
        count = len(work.runs)
        await asyncio.sleep(0.35)
        assert len(work.runs) == count
        await operator.trigger("work")
        running.wake("work")
        await until(lambda: len(work.runs) == count + 1)
        assert work.runs[-1].by == "trigger"
        assert await operator.resume("work")
        running.wake("work")
        await until(lambda: len(work.runs) >= count + 2)
    assert int((await record(link, service))[b"missed"]) >= 2
    found = await ended(operator)
    assert [one.who for one in found if one.by == "trigger"] == ["ann@host"]
    assert work.runs[count + 1].by == "schedule"


async def test_a_backfill_runs_each_time_once(operator: Schedules, link: Link, service: str) -> None:
    work = Work()
    cron = Cron("0 6 * * *", "Europe/Berlin")
    async with scheduler(link, service, work.task(cron)) as running:
        await until_async(partial(declared, operator))
        asked = await operator.backfill("work", datetime(2026, 3, 28), datetime(2026, 3, 30, 23))
        running.wake("work")
        await until(lambda: len(work.runs) == asked)
    with pytest.raises(TaskError, match="more than 1000 times"):
        await operator.backfill("work", datetime(2020, 1, 1), datetime(2026, 1, 1))
    with pytest.raises(TaskError, match="no background task 'wrk'; did you mean 'work'"):
        await operator.pause("wrk")
    assert [run.scheduled_for.astimezone(UTC).hour for run in work.runs] == [5, 4, 4]
    assert [run.scheduled_for.hour for run in work.runs] == [6, 6, 6]
    assert {run.by for run in work.runs} == {"backfill"}
    assert all(run.previous is None or run.previous < run.scheduled_for for run in work.runs)


async def declared(operator: Schedules) -> bool:
    return bool(await operator.all())


async def test_a_backfill_of_a_task_with_an_interval_is_refused(operator: Schedules, link: Link, service: str) -> None:
    async with scheduler(link, service, Work().task(FAR)):
        await until_async(partial(declared, operator))
    with pytest.raises(TaskError, match="no cron expression"):
        await operator.backfill("work", datetime(2026, 1, 1), datetime(2026, 1, 2))
    await operator.forget("work")
    assert await operator.all() == []


async def test_an_instance_writes_an_audit_line_and_asks_at_once(
    operator: Schedules, link: Link, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    caplog.set_level(logging.INFO)
    async with scheduler(link, service, work.task(FAR)) as running:
        steering = Steering(operator.node, service, running.wake, make_logger())
        await steering.start()
        await until_async(partial(declared, operator))
        await link.execute("PUBLISH", f"daebus:{{{service}}}:tasks:changed", "no JSON")
        await asyncio.sleep(0.05)  # it naps
        await operator.trigger("work")
        await until(lambda: bool(work.runs), seconds=2)
        await steering.stop()
    assert "audit: background task steered task='work' what='trigger' who='ann@host'" in caplog.text
