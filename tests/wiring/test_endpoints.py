from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from daebus.core.context import Context
from daebus.wiring.endpoints import Incoming
from daebus.wiring.workers import OwnThread, WorkerPool, Workers

variable: ContextVar[str] = ContextVar("variable_of_test_endpoints", default="unset")


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(2)
    yield pool
    pool.close()


@pytest.fixture(params=["pool", "own thread"])
def workers(request: pytest.FixtureRequest, pool: WorkerPool) -> Workers:
    return pool if request.param == "pool" else OwnThread("mine")


async def test_a_function_runs_in_another_thread_and_gives_its_result(workers: Workers) -> None:
    assert await workers.run(threading.get_ident) != threading.get_ident()


async def test_an_exception_of_the_function_is_raised_where_it_is_awaited(workers: Workers) -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await workers.run(fail)


async def test_the_function_sees_the_context_variables_of_its_caller(workers: Workers) -> None:
    def change() -> str:
        before = variable.get()
        variable.set("changed")
        return before

    variable.set("given")
    assert await workers.run(change) == "given"
    assert variable.get() == "given"


async def test_the_threads_have_names_that_say_what_they_are(pool: WorkerPool) -> None:
    assert (await pool.run(lambda: threading.current_thread().name)).startswith("daebus-worker")
    assert await OwnThread("monitor").run(lambda: threading.current_thread().name) == "monitor"


async def test_the_pool_runs_no_more_at_once_than_its_limit(pool: WorkerPool) -> None:
    lock, release = threading.Lock(), threading.Event()
    now, most = 0, 0

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == pool.limit:
                release.set()
        assert release.wait(5)
        with lock:
            now -= 1

    await asyncio.gather(*(pool.run(work) for _ in range(6)))
    assert most == pool.limit == 2


async def test_threads_of_their_own_run_all_at_once() -> None:
    everyone = threading.Barrier(20, timeout=5)
    await asyncio.gather(*(OwnThread(f"t{n}").run(everyone.wait) for n in range(20)))


async def test_a_closed_pool_lets_its_work_end_and_can_be_used_again(pool: WorkerPool) -> None:
    started, release = threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        assert release.wait(5)
        return "done"

    running = asyncio.ensure_future(pool.run(work))
    assert await asyncio.to_thread(started.wait, 5)
    pool.close()
    release.set()
    assert await running == "done"
    assert await pool.run(lambda: "again") == "again"


def test_a_pool_that_was_never_used_can_be_closed_twice() -> None:
    pool = WorkerPool(1)
    pool.close()
    pool.close()


async def test_a_thread_of_its_own_does_not_keep_the_process_alive() -> None:
    assert await OwnThread("mine").run(lambda: threading.current_thread().daemon)


async def test_a_thread_whose_awaiter_was_cancelled_ends_quietly() -> None:
    started, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(5)
        ended.set()
        raise LookupError

    task = asyncio.ensure_future(OwnThread("mine").run(work))
    assert await asyncio.to_thread(started.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await asyncio.to_thread(ended.wait, 5)
    await asyncio.sleep(0)


def test_a_thread_may_end_after_its_event_loop() -> None:
    started, release = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        threads.append(threading.current_thread())
        started.set()
        release.wait(5)

    async def main() -> None:
        task = asyncio.ensure_future(OwnThread("mine").run(work))
        await asyncio.to_thread(started.wait, 5)
        task.cancel()

    asyncio.run(main())
    release.set()
    threads[0].join(5)
    assert not threads[0].is_alive()


def test_a_message_has_no_body_part_or_keywords_unless_given() -> None:
    context = Context(request_id="r", service="s", handler="h")
    message, other = Incoming(context), Incoming(context)
    assert (message.body, message.part, message.keywords) == (None, None, {})
    assert message.keywords is not other.keywords
