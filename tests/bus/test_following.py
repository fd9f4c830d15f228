"""Durable channels that are followed: from a position on, in order, without a gap, or with an error that says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import BlockingBus, Bus, Channel, Daebus, Followed
from daebus.core.timings import Timings
from daebus.errors import BadRequest, ConfigurationError, Gone, WiringError
from daebus.protocol.messages import channel_stream
from daebus.testing import private_redis_url, running


class Line(msgspec.Struct):
    text: str


@asynccontextmanager
async def opened(name: str, *, keep: float = 0.0) -> AsyncGenerator[tuple[Bus, Channel[Line]]]:
    async with Bus(private_redis_url()) as bus:
        yield bus, Channel[Line](name, durable=True, keep=keep)


async def take(bus: Bus, channel: Channel[Line], count: int, after: str | None = "") -> list[Followed[Line]]:
    found: list[Followed[Line]] = []
    async with aclosing(bus.follow(channel, after=after)) as events:
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def publish(bus: Bus, channel: Channel[Line], *texts: str) -> None:
    for text in texts:
        await bus.publish(channel, Line(text))


async def test_from_the_oldest_from_a_position_and_from_now() -> None:
    async with opened("followed") as (bus, channel):
        await publish(bus, channel, "a", "b", "c")
        first = await take(bus, channel, 3)
        assert [one.event.text for one in first] == ["a", "b", "c"]
        assert [one.event.text for one in await take(bus, channel, 2, first[0].id)] == ["b", "c"]
        following = asyncio.create_task(take(bus, channel, 2, None))
        other = asyncio.create_task(take(bus, channel, 1, first[2].id))
        while not other.done() or not following.done():
            await publish(bus, channel, "new")
            await asyncio.sleep(0.01)
        assert {one.event.text for one in (await following) + (await other)} == {"new"}


async def test_hundreds_of_events_come_in_order_while_more_are_published() -> None:
    async with opened("many") as (bus, channel):
        await publish(bus, channel, *map(str, range(250)))
        following = asyncio.create_task(take(bus, channel, 400))
        await publish(bus, channel, *map(str, range(250, 400)))
        assert [one.event.text for one in await following] == [*map(str, range(400))]


async def test_events_come_as_they_are_published_and_not_at_the_next_look_of_each_5_s() -> None:
    async with opened("prompt") as (bus, channel):
        await publish(bus, channel, "first")
        began = time.monotonic()
        async with aclosing(bus.follow(channel, after="")) as events:
            for number in range(8):
                await anext(events)
                waiting = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0.02)  # until it waits
                await publish(bus, channel, f"{number}a", f"{number}b")
                await waiting
                await anext(events)
                await publish(bus, channel, "next")
    assert time.monotonic() - began < 20  # by looking alone it takes 40 s


async def test_events_that_are_gone_are_told() -> None:
    async with opened("trimmed") as (bus, channel), raw_redis(private_redis_url()) as redis:
        await publish(bus, channel, "a", "b", "c", "d")
        first = await take(bus, channel, 4)
        await redis.xtrim(channel_stream("trimmed"), maxlen=2, approximate=False)
        assert [one.event.text for one in await take(bus, channel, 2)] == ["c", "d"]
        assert [one.event.text for one in await take(bus, channel, 2, first[1].id)] == ["c", "d"]
        with pytest.raises(Gone):
            await take(bus, channel, 1, first[0].id)
        await redis.delete(channel_stream("trimmed"))
        await publish(bus, channel, "e")
        with pytest.raises(Gone):
            await take(bus, channel, 1, first[3].id)


async def test_what_is_refused() -> None:
    async with opened("refused") as (bus, channel):
        for after in ("x", "1-1", "1-1-", "$", "1-1-1-1"):
            with pytest.raises(BadRequest):
                await take(bus, channel, 1, after)
        with pytest.raises(ConfigurationError, match="durable=True"):
            await take(bus, Channel[Line]("plain"), 1)
    with pytest.raises(WiringError, match="add durable=True, or leave keep out"):
        Channel[Line]("x", keep=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(WiringError, match="more than retention"):
        Channel[Line]("x", durable=True, keep=5, retention=4)


async def test_an_event_of_another_type_is_left_out() -> None:
    async with opened("mixed") as (bus, channel):
        await bus.publish(Channel[int]("mixed", durable=True), 7)
        await publish(bus, channel, "a")
        assert [one.event.text for one in await take(bus, channel, 1)] == ["a"]


@pytest.mark.parametrize("keep", [0.0, 600.0])
async def test_what_all_listeners_have_handled_is_kept_for_followers_as_long_as_the_channel_says(keep: float) -> None:
    name = f"kept{keep:g}"
    channel = Channel[Line](name, durable=True, keep=keep)
    app, heard = Daebus("keeper"), list[str]()

    @app.listen(channel)
    async def hear(line: Line) -> None:
        heard.append(line.text)

    async with running(app, timings=Timings(trim=0.02)) as service, raw_redis(private_redis_url()) as redis:
        await publish(service.bus, channel, "a", "b", "c")
        await until(lambda: len(heard) == 3)
        stream = channel_stream(name)
        if keep:
            await publish(service.bus, channel, "d")
            await until(lambda: len(heard) == 4)
            await asyncio.sleep(0.1)
            assert await redis.xlen(stream) == 4
        else:

            async def is_trimmed() -> bool:
                return bool(await redis.xlen(stream) <= 1)

            await until(is_trimmed)


async def test_following_ends_when_the_service_stops() -> None:
    channel = Channel[Line]("stopped", durable=True)
    app, seen = Daebus("follower"), list[str]()

    @app.on_start()
    async def begin(*, bus: Bus) -> None:
        async def follow() -> None:
            async for event in bus.follow(channel):
                seen.append(event.event.text)
            seen.append("end")

        tasks.append(asyncio.create_task(follow()))

    tasks: list[asyncio.Task[None]] = []
    async with running(app) as service:

        async def is_seen() -> bool:
            await publish(service.bus, channel, "a")
            return bool(seen)

        await until(is_seen)
    await tasks[0]
    assert seen[-1] == "end"


def test_in_blocking_code() -> None:
    channel = Channel[Line]("blocking", durable=True)
    with BlockingBus(private_redis_url()) as bus:
        bus.publish(channel, Line("a"))
        events = bus.follow(channel, after="")
        assert next(events).event == Line("a")
        events.close()
