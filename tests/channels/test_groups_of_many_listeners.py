"""A hundred durable listeners in one instance: their connections, and that each of them hears what it should."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from tests.support import until

from daebus import Action, Channel, Daebus, DaebusHttp, DaebusWebSocket, ServiceContainer, Settings
from daebus.core.timings import Timings
from daebus.protocol.messages import channel_stream
from daebus.testing import RunningService, private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

_MOST = 8
_NAME = "many_listeners"


def url() -> str:
    """The server, which shows the connections of the service by their name."""
    server = private_redis_url()
    return f"{server}{'&' if '?' in server else '?'}client_name={_NAME}"


async def connections(redis: Any) -> int:
    return sum(client["name"] == _NAME for client in await redis.client_list())


def channels(prefix: str, count: int) -> Sequence[Channel[int]]:
    return [Channel[int](f"{prefix}_{number}", durable=True) for number in range(count)]


class Ears:
    """A service with a listener for each of some channels, and what each of them heard, by its name."""

    def __init__(self, name: str, heard_on: Sequence[Channel[int]], concurrency: int = 1) -> None:
        self.app = Daebus(name, settings=Settings(lease=1.0, max_concurrency=concurrency))
        self.heard: dict[str, list[int]] = defaultdict(list)
        self.called = asyncio.Event()
        self.gates: dict[str, asyncio.Event] = {}
        for number, channel in enumerate(heard_on):
            self._listen(channel, f"ear_{number}")

    def _listen(self, channel: Channel[int], name: str) -> None:
        @self.app.listen(channel, name=name)
        async def hear(event: int) -> None:
            self.called.set()
            if name in self.gates:
                await self.gates[name].wait()
            self.heard[name].append(event)

    def all_heard(self, numbers: Sequence[int], ears: int = 100) -> bool:
        return len(self.heard) == ears and all(len(heard) >= len(numbers) for heard in self.heard.values())


async def latency(ears: Ears, service: RunningService, channel: Channel[int]) -> float:
    """The seconds from a publish until the listener is called."""
    ears.called.clear()
    began = time.perf_counter()
    await service.publish(channel, 1)
    await ears.called.wait()
    return time.perf_counter() - began


async def test_a_hundred_listeners_of_as_many_channels_share_few_connections(redis: Any) -> None:
    each, numbers = channels("each", 100), range(20)
    ears = Ears("each", each)
    async with running(Daebus("publisher")) as publisher:
        await asyncio.gather(*(publisher.publish(channel, -1) for channel in each))  # waits before the start
        async with running(ears.app, redis_url=url()):
            await until(lambda: ears.all_heard([-1]))
            for number in numbers:
                await asyncio.gather(*(publisher.publish(channel, number) for channel in each))
            await until(lambda: ears.all_heard([-1, *numbers]))
            assert await connections(redis) <= _MOST
    assert all(heard == [-1, *numbers] for heard in ears.heard.values())


async def test_a_hundred_listeners_of_one_channel_share_few_connections(redis: Any) -> None:
    (one,) = channels("one", 1)
    ears, numbers = Ears("one", [one] * 100), range(50)
    async with running(Daebus("publisher")) as publisher, running(ears.app, redis_url=url()):
        for number in numbers:
            await publisher.publish(one, number)
        await until(lambda: ears.all_heard(numbers))
        assert await connections(redis) <= _MOST
    assert all(heard == [*numbers] for heard in ears.heard.values())


async def test_actions_with_different_limits_share_few_connections(redis: Any) -> None:
    app = Daebus("limits", settings=Settings(partitions=1))
    numbers = range(1, 41)

    def serve(number: int) -> Action[int, int]:
        action = Action[int, int](f"action_{number}", service="limits")

        @app.action(action, concurrency=number)
        async def act(payload: int) -> int:
            return payload

        return action

    actions = [serve(number) for number in numbers]
    ears = channels("limits", 40)
    for channel in ears:

        @app.listen(channel)
        async def hear(_: int) -> None: ...

    async with running(app, redis_url=url()) as service:
        assert await asyncio.gather(*(service.call(action, 7) for action in actions * 3)) == [7] * 120
        assert await connections(redis) <= _MOST


async def test_all_other_kinds_of_handlers_share_few_connections(redis: Any) -> None:
    app = Daebus("kinds", container=ServiceContainer())
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    for number in range(100):
        _every_kind(app, number)
    async with running(app, redis_url=url()) as service, service.socket() as socket:
        assert await service.call(Action[int, int]("action_7", service="kinds"), 7) == 7
        assert bytes((await socket.ask("type_7", 7)).data) == b"7"
        assert await connections(redis) <= _MOST


def _every_kind(app: Daebus[ServiceContainer], number: int) -> None:
    @app.action(Action[int, int](f"action_{number}", service="kinds"))
    async def act(payload: int) -> int:
        return payload

    @app.background(f"task_{number}", 1.0 + number)
    async def work() -> None: ...

    @app.listen(Channel[int](f"plain_{number}"))
    async def hear(_: int) -> None: ...

    @app.listen(Channel[int](f"kept_{number}", durable=True), name=f"kept_{number}")
    async def keep(_: int) -> None: ...

    @app.socket(f"type_{number}")
    async def answer(data: int) -> int:
        return data


async def test_replicas_share_the_events_and_one_that_stops_leaves_none(redis: Any) -> None:
    (one,), numbers = channels("replicas", 1), range(200)
    first, second = (Ears("replicas", [one] * 4, concurrency=4) for _ in range(2))
    async with running(Daebus("publisher")) as publisher, running(first.app):
        async with running(second.app):
            for number in numbers[:100]:
                await publisher.publish(one, number)
        for number in numbers[100:]:
            await publisher.publish(one, number)
        names = [f"ear_{ear}" for ear in range(4)]
        await until(lambda: all(len(first.heard[name] + second.heard[name]) >= len(numbers) for name in names))
        assert all(sorted(first.heard[name] + second.heard[name]) == [*numbers] for name in names)


async def test_a_listener_that_is_busy_holds_up_no_other_one() -> None:
    (one, other), numbers = channels("busy", 2), range(30)
    ears = Ears("busy", [one, one, one, other])
    ears.gates["ear_0"] = gate = asyncio.Event()
    async with running(ears.app) as service:
        for number in numbers:
            await service.publish(one, number)
            await service.publish(other, number)
        await until(lambda: all(len(ears.heard[f"ear_{ear}"]) == len(numbers) for ear in (1, 2, 3)))
        assert not ears.heard["ear_0"]
        gate.set()
        await until(lambda: len(ears.heard["ear_0"]) == len(numbers))
    assert all(heard == [*numbers] for heard in ears.heard.values())


async def test_an_event_comes_about_as_soon_as_over_a_connection_of_its_own() -> None:
    each, samples = channels("soon", 100), list[tuple[float, float]]()
    ears, (first, *_, last) = Ears("soon", each), each
    async with running(ears.app) as service:
        for _ in range(100):  # in turn, as the machine has other work too
            samples.append((await latency(ears, service, first), await latency(ears, service, last)))
    own, shared = map(statistics.median, zip(*samples, strict=True))
    assert shared < 4 * own, (own, shared)


async def test_a_channel_is_trimmed_once_its_events_are_handled_and_not_while_nothing_happens(redis: Any) -> None:
    (one, *others) = channels("trimmed", 20)
    ears, numbers = Ears("trimmed", [one, one, *others]), range(30)

    async def trims() -> int:
        return int((await redis.info("commandstats")).get("cmdstat_xtrim", {"calls": 0})["calls"])

    async with running(ears.app, timings=Timings(trim=0.05)) as service:
        for number in numbers:
            await service.publish(one, number)
        await until(lambda: len(ears.heard["ear_0"]) == len(ears.heard["ear_1"]) == len(numbers))

        async def is_trimmed() -> bool:
            return bool(await redis.xlen(channel_stream(one.name)) <= 1)

        await until(is_trimmed)
        await asyncio.sleep(0.2)  # the round that does it may not have ended
        before = await trims()
        await asyncio.sleep(0.5)
        assert await trims() == before


async def test_events_arrive_at_once_after_the_shared_connection_alone_was_lost(redis: Any) -> None:
    each = channels("lost", 10)
    ears = Ears("lost", each)
    async with running(ears.app, redis_url=url()) as service:
        for number in range(5):
            shared = [one for one in await redis.client_list() if one["name"] == _NAME and one["resp"] == "3"]
            assert len(shared) == 1
            await redis.client_kill_filter(_id=shared[0]["id"])
            began = time.monotonic()
            await asyncio.gather(*(service.publish(channel, number) for channel in each))
            await until(lambda number=number: ears.all_heard(range(number + 1), 10))  # type: ignore[misc]
            assert time.monotonic() - began < 4  # the streams are read every 5 s in any case
    assert all(heard == [*range(5)] for heard in ears.heard.values())


async def test_an_idle_instance_sends_few_commands_however_many_listeners_it_has(redis: Any) -> None:
    ears, numbers = Ears("idle", channels("idle", 100)), [1]

    async def commands() -> int:
        stats = await redis.info("commandstats")
        return sum(int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "xreadgroup"))

    async with running(ears.app) as service:
        await asyncio.gather(*(service.publish(Channel[int](f"idle_{n}", durable=True), 1) for n in range(100)))
        await until(lambda: ears.all_heard(numbers))
        await asyncio.sleep(2)  # what follows the start
        began, before = time.monotonic(), await commands()
        await asyncio.sleep(4)
        each_second = (await commands() - before) / (time.monotonic() - began)
    assert each_second < 50  # each stream is read every 5 s, which is 20
