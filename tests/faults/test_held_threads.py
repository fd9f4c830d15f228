"""Handlers that never return hold all threads: other replicas get the messages that need one, the rest goes on."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel, Daebus, Settings
from daebus.errors import Timeout
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

HELD = "all threads are held: messages for def handlers are left to other instances"
FREE = "a thread is free: messages for def handlers are taken again"
STUCK = Action[None, None]("stuck", service="held")
WORK = Action[int, str]("work", service="held")
LIVELY = Action[None, str]("lively", service="held")
EVENTS = Channel[int]("held_events", durable=True)


class Replica:
    """One of them, with two threads.

    Attributes:
        seen: The numbers that its handlers have got.
        release: Lets those end that hold its threads.
        holding: How many hold one.
    """

    def __init__(self, name: str) -> None:
        self.seen = Counter[int]()
        self.release = threading.Event()
        self.holding = 0
        app = self.app = Daebus("held", settings=Settings(lease=1.0, max_workers=2, stop_timeout=0.5))

        @app.action(STUCK, timeout=0.1, retries=0)
        def stuck() -> None:
            self.holding += 1
            self.release.wait()

        @app.action(WORK)
        def work(number: int) -> str:
            self.seen[number] += 1
            return name

        @app.listen(EVENTS)
        def heard(number: int) -> None:
            self.seen[number] += 1

        @app.action(LIVELY)
        async def lively() -> str:
            return name


@asynccontextmanager
async def replicas(*names: str) -> AsyncGenerator[tuple[Bus, dict[str, Replica]]]:
    """The first one has started alone, and its threads are held."""
    made = {name: Replica(name) for name in names}
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(Bus(private_redis_url()))
        for name, replica in made.items():
            await stack.enter_async_context(running(replica.app))
            stack.callback(replica.release.set)
            if name == names[0]:
                for _ in range(2):
                    with pytest.raises(Timeout):
                        await bus.call(STUCK, timeout=5)
                assert replica.holding == 2
        yield bus, made


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [line for line in caplog.messages if line.startswith(event)]


async def _is_empty(redis: Any) -> bool:
    return bool(await redis.xlen("daebus:{held}:action:work") == 0)


async def test_other_replicas_get_the_messages_that_need_a_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Those too that were read before it was known that no thread would become free."""
    async with replicas("held") as (bus, made), raw_redis(private_redis_url()) as redis:
        sent = range(20)
        for number in sent:
            await bus.send(WORK, number)
            await bus.publish(EVENTS, 100 + number)
        await until(lambda: told(caplog, HELD))
        assert await bus.call(LIVELY, timeout=5) == "held"
        free = Replica("free")
        async with running(free.app):
            await until(lambda: set(free.seen) == {*sent, *(100 + number for number in sent)})
            assert await bus.call(WORK, 50, timeout=10) == "free"
        assert not made["held"].seen
        assert set(free.seen.values()) == {1}
        for number in sent:
            await bus.send(WORK, 200 + number)
        assert not made["held"].seen
        made["held"].release.set()
        await until(lambda: len(made["held"].seen) == len(sent))
        await until(lambda: _is_empty(redis))
    (line,) = told(caplog, HELD)
    assert line.count("action stuck at tests/faults/test_held_threads.py:") == 2
    assert len(told(caplog, FREE)) == 1


async def test_an_instance_that_is_alone_handles_what_it_has_read_once_a_thread_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with replicas("held") as (bus, made):
        answers = [asyncio.create_task(bus.call(WORK, number, timeout=20)) for number in range(10)]
        await until(lambda: told(caplog, HELD))
        made["held"].release.set()
        assert await asyncio.gather(*answers) == ["held"] * 10
        assert set(made["held"].seen.values()) == {1}
