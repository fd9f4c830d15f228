"""What a caller and a service make each other, and Redis, hold: bytes, not only numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import Action, Bus, BusLimits, Daebus, Settings, StreamAction
from daebus.errors import TooLarge, TooManyRequests
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

BLOB = Action[int, str]("blob", service="heavy")
BLOBS = StreamAction[int, str]("blobs", service="heavy")

MB = 1_000_000


def heavy(**limits: int) -> Daebus:
    app = Daebus("heavy", service="heavy", settings=Settings(limits=BusLimits(**limits)))

    @app.action("blob")
    async def blob(size: int) -> str:
        return "x" * size

    return app


async def test_a_reply_that_is_too_large_is_an_error_of_its_call_alone() -> None:
    async with running(heavy()), Bus(private_redis_url()) as bus:
        assert len(await bus.call(BLOB, 8 * MB)) == 8 * MB
        others = [asyncio.create_task(bus.call(BLOB, 10)) for _ in range(20)]
        with pytest.raises(TooLarge, match=r"The reply has 40000002 bytes; at most 8388608 are allowed"):
            await bus.call(BLOB, 40 * MB)
        assert await asyncio.gather(*others) == ["x" * 10] * 20


async def test_the_largest_reply_can_be_set() -> None:
    async with running(heavy(max_reply_size=1000)) as service:
        with pytest.raises(TooLarge, match="at most 1000"):
            await service.call(BLOB, 999)
        assert await service.call(BLOB, 998) == "x" * 998


async def test_an_item_that_is_too_large_ends_its_stream() -> None:
    app = heavy(max_reply_size=1000)

    @app.action("blobs")
    async def blobs(size: int) -> AsyncGenerator[str]:
        yield "small"
        yield "x" * size

    async with running(app) as service:
        stream = service.stream(BLOBS, 1000)
        assert await anext(stream) == "small"
        with pytest.raises(TooLarge):
            await anext(stream)


async def test_a_request_that_wants_no_reply_is_not_failed_by_its_size() -> None:
    handled, app = (
        list[int](),
        Daebus("heavy", service="heavy", settings=Settings(limits=BusLimits(max_reply_size=1000))),
    )

    @app.action("blob")
    async def blob(size: int) -> str:
        handled.append(size)
        return "x" * size

    async with running(app) as service, raw_redis(private_redis_url()) as redis:
        await service.send(BLOB, 5000)
        await until(lambda: handled)
        await until(lambda: empty(redis, "daebus:{heavy}:action:blob"))
        assert await redis.xlen("daebus:{heavy}:dead") == 0
        assert await redis.zcard("daebus:{heavy}:retries") == 0


async def empty(redis: Any, key: str) -> bool:
    return bool(await redis.xlen(key) == 0)


async def test_a_slow_reader_of_large_items_holds_the_handler_up_after_some_bytes() -> None:
    made, app = list[int](), heavy()

    @app.action("blobs")
    async def blobs(size: int) -> AsyncGenerator[str]:
        for number in range(200):
            made.append(number)
            yield "x" * size

    async with running(app) as service:
        stream, heard = service.stream(BLOBS, 100_000), 0
        await anext(stream)
        await asyncio.sleep(0.5)
        assert len(made) < 20
        async for _ in stream:
            heard += 1
        assert heard == 199


async def test_the_requests_that_wait_are_limited_in_bytes() -> None:
    action = Action[str, None]("work", service="nobody")
    async with Bus(private_redis_url(), max_queued_size=4 * MB) as bus:
        sent = await send_until_refused(bus, action, 500_000)
        assert 6 <= sent <= 8
        with pytest.raises(TooManyRequests, match=r"Requests of 4000000 bytes wait for nobody\.work already"):
            await bus.send(action, "x" * 500_000)
        async with raw_redis(private_redis_url()) as redis:
            assert await redis.xlen("daebus:{nobody}:action:work") == sent


async def send_until_refused(bus: Bus, action: Action[str, None], size: int) -> int:
    sent = 0
    with suppress(TooManyRequests):
        while sent < 3000:
            await bus.send(action, "x" * size)
            sent += 1
    return sent


async def test_small_requests_that_wait_are_limited_in_bytes_too() -> None:
    action = Action[str, None]("few", service="nobody")
    async with Bus(private_redis_url(), max_queued_size=MB) as bus:
        assert 700 < await send_until_refused(bus, action, 1000) < 1100


async def test_dead_letters_are_limited_in_bytes() -> None:
    app = Daebus("dying", service="dying", settings=Settings(limits=BusLimits(max_dead_size=2 * MB)))

    @app.action("work", retries=0)
    async def work(text: str) -> None:
        raise ValueError(text[:10])

    action = Action[str, None]("work", service="dying")
    async with running(app) as service, raw_redis(private_redis_url()) as redis:
        for number in range(60):
            await service.send(action, f"{number} " + "x" * 100_000)
        await until(lambda: empty(redis, "daebus:{dying}:action:work"))
        letters = await redis.xrange("daebus:{dying}:dead")
        assert 10 <= len(letters) <= 20
        assert await redis.memory_usage("daebus:{dying}:dead") <= 2 * MB
        newest = msgspec.json.decode(letters[-1][1][b"request"])["payload"]
        assert newest.startswith("59 ")


async def test_of_one_letter_that_is_huge_the_beginning_is_kept() -> None:
    async with running(heavy(max_dead_size=2 * MB)), raw_redis(private_redis_url()) as redis:
        await redis.xadd("daebus:{heavy}:action:blob", {"request": b"{" + b"x" * MB})
        await until(lambda: redis.exists("daebus:{heavy}:dead"))
        ((_, letter),) = await redis.xrange("daebus:{heavy}:dead")
        assert (len(letter[b"request"]), letter[b"cut"]) == (1000, str(MB + 1).encode())


async def test_an_error_with_large_details_is_told_without_them() -> None:
    app = Daebus("heavy", service="heavy")

    @app.action("blob")
    async def blob(size: int) -> str:
        raise TooLarge("Far too much", details={"all": "x" * size})

    async with running(app) as service:
        with pytest.raises(TooLarge, match="Far too much") as refused:
            await service.call(BLOB, 40 * MB)
        assert json.dumps(refused.value.details) == "{}"
