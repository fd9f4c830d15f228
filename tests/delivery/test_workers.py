from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest
from tests.support import until

from daebus.delivery.workers import OwnThread, WorkerPool, Workers

variable: ContextVar[str] = ContextVar("variable_of_test_workers", default="unset")


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
    release = threading.Event()
    running: set[object] = set()

    def work() -> None:
        me = object()
        running.add(me)
        assert release.wait(5)
        running.discard(me)

    work_of_six = asyncio.gather(*(pool.run(work) for _ in range(6)))
    await until(lambda: len(running) == pool.limit)
    await asyncio.sleep(0.02)  # for one too many to come
    assert len(running) == pool.limit == 2
    release.set()
    await asyncio.wait_for(work_of_six, 5)


async def test_a_free_thread_is_used_again() -> None:
    pool = WorkerPool(50)
    idents = {await pool.run(threading.get_ident) for _ in range(30)}
    names = [thread.name for thread in threading.enumerate() if thread.ident in idents]
    pool.close()
    assert len(names) < 15


async def test_a_thread_that_waits_for_work_takes_only_one_piece_of_it(pool: WorkerPool) -> None:
    await pool.run(threading.get_ident)
    both = threading.Barrier(2, timeout=5)
    await asyncio.wait_for(asyncio.gather(pool.run(both.wait), pool.run(both.wait)), 5)


async def test_threads_of_their_own_run_all_at_once() -> None:
    everyone = threading.Barrier(20, timeout=5)
    await asyncio.gather(*(OwnThread(f"t{n}").run(everyone.wait) for n in range(20)))


async def test_the_threads_of_a_closed_pool_end() -> None:
    pool = WorkerPool(3)
    both = threading.Barrier(3, timeout=5)

    def work() -> threading.Thread:
        both.wait()
        return threading.current_thread()

    threads = await asyncio.gather(*(pool.run(work) for _ in range(3)))
    assert all(thread.is_alive() for thread in threads)
    pool.close()
    await until(lambda: not any(thread.is_alive() for thread in threads))


async def test_an_idle_pool_can_be_closed_and_used_again(pool: WorkerPool) -> None:
    thread = await pool.run(threading.current_thread)
    await asyncio.sleep(0.02)  # for the thread to wait for work again
    pool.close()
    await until(lambda: not thread.is_alive())
    assert await asyncio.wait_for(pool.run(lambda: "again"), 5) == "again"


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
