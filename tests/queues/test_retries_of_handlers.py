"""Handlers that fail, time out or die, and get their messages again; in processes of their own where it matters."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.engines import Engine
from tests.processes import Service, launched
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel, Daebus, Settings
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.errors import Conflict, Internal, NoSuchService, ServiceError, Timeout, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

DELAYED = "daebus:{shop}:retries"
DEAD = "daebus:{shop}:dead"
ORDERS = Channel[int]("orders", durable=True)
QUICK = 0.02


class Failing:
    """Fails so many times with an error, and then no more."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.runs = 0

    def run(self) -> None:
        self.runs += 1
        if self._errors:
            raise self._errors.pop(0)


async def test_what_was_sent_is_handled_again_until_it_succeeds(redis: Any) -> None:
    app = Daebus("shop")
    work = Failing(RuntimeError("bug"), Unavailable("away"), Timeout("late"))

    @app.action("work", retries=3, backoff=QUICK)
    async def handle(number: int) -> None:
        work.run()

    async with running(app) as service:
        await service.send(handle, 1)
        await until(lambda: work.runs == 4)
        await until(lambda: nothing_left(redis))
    assert not await redis.exists(DEAD)


async def test_what_is_called_fails_at_once() -> None:
    app = Daebus("shop")
    work = Failing(Unavailable("away"))

    @app.action("work", backoff=QUICK)
    async def handle(number: int) -> None:
        work.run()

    async with running(app) as service:
        with pytest.raises(Unavailable, match="away"):
            await service.call(handle, 1)
    assert work.runs == 1


@pytest.mark.parametrize(
    ("error", "code", "runs"),
    [(Conflict("x"), "conflict", 1), (ServiceError("x"), "error", 1), (RuntimeError(), "internal", 3)],
)
async def test_in_the_end_it_is_a_dead_letter(redis: Any, error: Exception, code: str, runs: int) -> None:
    app = Daebus("shop")
    work = Failing(*[error] * 9)

    @app.action("work", retries=2, backoff=QUICK)
    async def handle(number: int) -> None:
        work.run()

    async with running(app) as service:
        await service.send(handle, 7)
        await until(lambda: redis.exists(DEAD))
    ((_, letter),) = await redis.xrange(DEAD)
    assert work.runs == runs
    assert (letter[b"code"].decode(), letter[b"action"], letter[b"deliveries"]) == (code, b"work", b"%d" % runs)
    assert msgspec.json.decode(letter[b"request"], type=dict[str, Any])["payload"] == 7
    died, _, _ = (await redis.xrange(DEAD))[0][0].partition(b"-")
    assert int(letter[b"sent"]) <= int(died) < int(letter[b"sent"]) + 10_000
    assert await nothing_left(redis)


async def test_one_run_has_its_time(redis: Any) -> None:
    app = Daebus("shop")
    runs: list[int] = []

    @app.action("work", retries=1, backoff=QUICK, timeout=0.05)
    async def handle(number: int) -> None:
        runs.append(number)
        await asyncio.sleep(30)

    @app.listen(ORDERS, retries=0, timeout=0.05)
    async def on_order(number: int) -> None:
        await asyncio.sleep(30)

    async with running(app) as service:
        with pytest.raises(Timeout, match=r"^action work did not finish in the 0\.0\d s that it had$"):
            await service.call(handle, 1)
        await service.send(handle, 2)
        await service.publish(ORDERS, 3)
        await until(lambda: has(redis, DEAD, 2))
    assert runs == [1, 2, 2]
    assert {letter[b"code"] for _, letter in await redis.xrange(DEAD)} == {b"timeout"}


async def test_a_handler_that_cancels_itself_has_failed(redis: Any) -> None:
    app = Daebus("shop")

    @app.action("work", retries=0)
    async def handle() -> None:
        raise asyncio.CancelledError

    async with running(app) as service:
        with pytest.raises(Internal):
            await service.call(handle, timeout=5)
        await service.send(handle)
        await until(lambda: redis.exists(DEAD))


async def test_only_the_listener_that_failed_gets_the_event_again_and_a_replay(redis: Any) -> None:
    app = Daebus("shop")
    good, bad = Failing(), Failing(RuntimeError("1"), RuntimeError("2"))

    @app.listen(ORDERS)
    async def fine(number: int) -> None:
        good.run()

    @app.listen(ORDERS, retries=1, backoff=QUICK)
    async def failing(number: int) -> None:
        bad.run()

    async with running(app) as service:
        await service.publish(ORDERS, 3)
        await until(lambda: redis.exists(DEAD))
        assert bad.runs == 2
        async with open_node(RedisServer.from_url(private_redis_url())) as node:
            letters = DeadLetters(node, "shop")
            (letter,) = [found async for found in letters.all()]
            assert (letter.channel, letter.listener, letter.payload) == ("orders", "shop.failing", b"3")
            assert await letters.replay(letter)
            assert not await letters.replay(letter)
        await until(lambda: bad.runs == 3)
        await until(lambda: nothing_left(redis))
    assert good.runs == 1


async def test_stopping_counts_as_no_delivery(redis: Any) -> None:
    stream = "daebus:{shop}:action:work"
    begun: list[int] = []

    def holding() -> Daebus:
        app = Daebus("shop", settings=Settings(lease=0.3, stop_timeout=0.01))

        @app.action("work")
        async def handle(number: int) -> None:
            begun.append(number)
            await asyncio.sleep(30)

        return app

    while len(begun) < 2:
        runs = len(begun)
        async with running(holding()) as service:
            if not runs:
                await service.send(Action[int, None]("work"), 1)
            await until(lambda: len(begun) > runs)  # noqa: B023  # called at once
        (pending,) = await redis.xpending_range(stream, "daebus", "-", "+", 10)
        assert pending["times_delivered"] == 0


WORKER = """
import asyncio, os
from daebus import Channel, Daebus, Settings
from daebus.errors import Unavailable
from redis.asyncio import Redis

app = Daebus("shop", settings=Settings(lease=1.0, max_concurrency=16))

@app.action("work", backoff=3600)
async def work(number: int, *, redis: Redis) -> None:
    if not await redis.exists("healed"):
        raise Unavailable("not yet")
    await redis.rpush("done", f"{os.getpid()} {number}")

@app.listen(Channel[int]("orders", durable=True), backoff=3600)
async def on_order(number: int, *, redis: Redis) -> None:
    if not await redis.exists("healed"):
        raise RuntimeError("not yet")
    await redis.rpush("done", f"{os.getpid()} {number}")

@app.action("pay")
async def pay(number: int, *, redis: Redis) -> str:
    run = await redis.incr("runs")
    await asyncio.sleep(0.01)
    return f"{number} in run {run}"

@app.action("hold")
async def hold(number: int, *, redis: Redis) -> int:
    await redis.rpush("held", os.getpid())
    while not await redis.exists("healed"):
        await asyncio.sleep(0.05)
    return os.getpid()

app.run(service="shop")
"""

WORK = Action[int, None]("work", service="shop")
PAY = Action[int, str]("pay", service="shop")
HOLD = Action[int, int]("hold", service="shop")


@contextmanager
def replicas(folder: Path, count: int, url: str | None = None) -> Generator[list[Service]]:
    program = folder / "worker.py"
    program.write_text(WORKER)
    command, url = (sys.executable, str(program)), url or private_redis_url()
    with ExitStack() as stack:
        started = [stack.enter_context(launched(*command, DAEBUS_REDIS_URL=url)) for _ in range(count)]
        for service in started:
            service.wait_for("service started")
        yield started


async def make_due(redis: Any) -> None:
    for member in await redis.zrange(DELAYED, 0, -1):
        await redis.zadd(DELAYED, {member: 1}, xx=True)


async def test_another_replica_brings_back_what_a_killed_one_put_off(redis: Any, tmp_path: Path) -> None:
    async with Bus(private_redis_url()) as bus:
        with replicas(tmp_path, 1) as (first,):
            await bus.send(WORK, 1)
            await bus.publish(ORDERS, 2)
            await until(lambda: has(redis, DELAYED, 2))
            first.process.kill()
            with replicas(tmp_path, 1) as (second,):
                await redis.set("healed", 1)
                await make_due(redis)
                await until(lambda: has(redis, "done", 2))
                await until(lambda: nothing_left(redis))
                done = {note.decode() for note in await redis.lrange("done", 0, -1)}
                assert done == {f"{second.process.pid} 1", f"{second.process.pid} 2"}


async def test_what_is_put_off_survives_the_restart_of_everything(tmp_path: Path) -> None:
    with Engine(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        async with Bus(server.url) as bus, raw_redis(server.url) as redis:
            with replicas(tmp_path, 1, server.url) as (first,):
                await bus.send(WORK, 1)
                await bus.publish(ORDERS, 2)
                await until(lambda: has(redis, DELAYED, 2))
                first.process.kill()
        server.kill()
        server.start()
        with replicas(tmp_path, 1, server.url):
            async with raw_redis(server.url) as redis:
                await redis.set("healed", 1)
                await make_due(redis)
                await until(lambda: has(redis, "done", 2))
                await until(lambda: nothing_left(redis))


async def test_one_key_runs_once_whoever_asks_and_all_get_its_reply(redis: Any, tmp_path: Path) -> None:
    keys, url = 1000, private_redis_url()
    with replicas(tmp_path, 3):
        async with Bus(url) as one, Bus(url) as two, Bus(url) as three:

            async def ask(bus: Bus, key: int) -> str:
                while True:  # as a caller does who must not give up
                    try:
                        return await bus.call(PAY, key, timeout=5, idempotency_key=f"order-{key}")
                    except (Timeout, Unavailable):
                        pass

            asked = [asyncio.gather(*(ask(bus, key) for key in range(keys))) for bus in (one, two, three)]
            first, second, third = await asyncio.gather(*asked)
            with pytest.raises(Conflict):
                await one.call(PAY, keys, idempotency_key="order-0")
            assert await ask(one, 0) == first[0]
    assert first == second == third
    assert [int(reply.partition(" ")[0]) for reply in first] == list(range(keys))
    assert int(await redis.get("runs")) == keys
    assert await nothing_left(redis)


async def test_where_the_runner_dies_the_key_passes_to_who_takes_over(redis: Any, tmp_path: Path) -> None:
    with replicas(tmp_path, 2) as both:
        async with Bus(private_redis_url()) as bus:
            asked = [asyncio.create_task(bus.call(HOLD, 1, timeout=20, idempotency_key="k")) for _ in range(3)]
            await until(lambda: has(redis, "daebus:{shop}:parked:hold:k", 2))
            await until(lambda: has(redis, "held", 1))
            runner = int(await redis.lindex("held", 0))
            (survivor,) = [service for service in both if service.process.pid != runner]
            ((entry, _),) = await redis.xrange("daebus:{shop}:action:hold", count=1)
            os.kill(runner, signal.SIGKILL)
            await until(lambda: has(redis, "held", 2), 10)
            assert f'"entry":"{entry.decode()}"' in survivor.text()
            await redis.set("healed", 1)
            assert await asyncio.gather(*asked) == [survivor.process.pid] * 3
    assert await redis.llen("held") == 2


async def test_where_a_run_fails_the_next_request_with_the_key_runs(redis: Any) -> None:
    app = Daebus("shop")
    work = Failing(RuntimeError("bug"), Conflict("taken"))

    @app.action("work")
    async def handle(number: int) -> None:
        await asyncio.sleep(0.05)
        work.run()

    async with running(app) as service:
        results = await asyncio.gather(
            *(service.bus.call(handle, 1, idempotency_key="k") for _ in range(4)), return_exceptions=True
        )
        with pytest.raises(Conflict):
            await service.bus.call(handle, 1, idempotency_key="k")
        await service.bus.send(handle, 1, idempotency_key="k")
        await until(lambda: nothing_left(redis))
    assert [type(result) for result in results].count(Internal) == 1
    assert [type(result) for result in results].count(Conflict) == 3
    assert work.runs == 2
    assert not await redis.exists(DEAD)


async def test_that_another_service_was_not_there_is_not_kept_for_a_key() -> None:
    app, stock = Daebus("shop"), Daebus("stock")

    @app.action("order")
    async def order(number: int, *, bus: Bus) -> int:
        return await bus.call(reserve, number, service="stock")

    @stock.action("reserve")
    async def reserve(number: int) -> int:
        return number

    async with running(app) as shop:
        with pytest.raises(NoSuchService, match="'stock'"):
            await shop.call(order, 1, idempotency_key="o1")
        async with running(stock):
            assert await shop.call(order, 1, idempotency_key="o1") == 1


async def test_a_dead_letter_with_a_key_can_be_replayed(redis: Any) -> None:
    app = Daebus("shop")
    work = Failing(Conflict("taken"))

    @app.action("work")
    async def handle(number: int) -> None:
        work.run()

    async with running(app) as service:
        await service.bus.send(handle, 1, idempotency_key="k")
        await until(lambda: redis.exists(DEAD))
        async with open_node(RedisServer.from_url(private_redis_url())) as node:
            letters = DeadLetters(node, "shop")
            async for letter in letters.all():
                assert await letters.replay(letter)
        await until(lambda: work.runs == 2)
        await service.bus.send(handle, 1, idempotency_key="k")
        await until(lambda: nothing_left(redis))
    assert work.runs == 2


async def has(redis: Any, key: str, count: int) -> bool:
    """Whether there are so many of whatever it is a key of."""
    sizes = {b"zset": redis.zcard, b"stream": redis.xlen, b"list": redis.llen}
    size = sizes.get(await redis.type(key))
    return size is not None and await size(key) == count


async def nothing_left(redis: Any) -> bool:
    """Whether nothing waits, and nobody is at work."""
    streams = [key async for key in redis.scan_iter(match="daebus:{shop}:action:*")]
    streams += [key async for key in redis.scan_iter(match="daebus:{shop}:listener:*")]
    return not await redis.exists(DELAYED) and not any([await redis.xlen(key) for key in streams])
