"""What is sent after the commit, where the connection to the server breaks just then: it is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from dependency_injector import providers
from tests.engines import Engine, Proxy, open_proxy
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel, Daebus, DaebusHttp, PerMessage, ServiceContainer
from daebus.protocol.messages import action_stream, channel_stream
from daebus.testing import RunningService, running


class Happened(msgspec.Struct):
    what: str


KEPT = Channel[Happened]("kept", durable=True)
FLEETING = Channel[Happened]("fleeting")
WORK = Action[str, None]("work", service="shop")


class Session:
    """What is committed, and what happens just after that."""

    def __init__(self) -> None:
        self.then: list[Callable[[], Awaitable[None]]] = []


async def open_session(commits: Session) -> AsyncIterator[Session]:
    yield commits
    for then in commits.then:
        await then()


class Container(ServiceContainer):
    commits = providers.Singleton(Session)
    session = PerMessage(open_session, commits=commits)
    heard = providers.Singleton[list[str]](list)


def make_app(container: Container) -> Daebus[Container]:
    app = Daebus("shop", container=container)
    app.attach(DaebusHttp(port=0))

    @app.listen(KEPT)
    async def hear(event: Happened, *, heard: list[str]) -> None:
        heard.append(f"kept {event.what}")

    @app.listen(FLEETING)
    async def hear_fleeting(event: Happened, *, heard: list[str]) -> None:
        heard.append(f"fleeting {event.what}")

    @app.action(WORK)
    async def work(what: str, *, heard: list[str]) -> None:
        heard.append(f"work {what}")

    @app.route("/kept/<what>", methods=["POST"])
    async def keep(what: str, *, session: Session, bus: Bus) -> str:
        await bus.publish(KEPT, Happened(what), after="commit")
        return "done"

    @app.route("/all/<what>", methods=["POST"])
    async def place(what: str, *, session: Session, bus: Bus) -> str:
        await bus.publish(FLEETING, Happened(what), after="commit")
        await bus.publish(KEPT, Happened(what), after="commit")
        await bus.send(WORK, what, after="commit")
        return "done"

    @app.route("/work/<what>", methods=["POST"])
    async def queue(what: str, *, session: Session, bus: Bus) -> str:
        await bus.send(WORK, what, after="commit")
        return "done"

    return app


class Shop:
    """The service behind a network that breaks, and what its handlers have heard."""

    def __init__(self, engine: Engine, proxy: Proxy, service: RunningService, container: Container) -> None:
        self.engine = engine
        self.proxy = proxy
        self.service = service
        self.commits = container.commits()
        self.heard = container.heard()

    async def place(self, path: str) -> int:
        return (await self.service.http.post(path, timeout=30)).status_code


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    container = Container()
    with Engine(tmp_path) as engine:
        async with open_proxy(engine.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}/0"
            async with running(make_app(container), redis_url=url) as service:
                yield Shop(engine, proxy, service, container)


async def test_a_connection_that_breaks_at_the_commit_loses_nothing(shop: Shop) -> None:
    async def blip() -> None:
        await shop.proxy.cut()
        await asyncio.sleep(0.02)  # what is sent now finds no connection

    shop.commits.then.append(blip)
    for number in range(3):
        assert await shop.place(f"/all/{number}") == 200
    expected = sorted(f"{kind} {number}" for kind in ("work", "kept") for number in range(3))
    await until(lambda: len([line for line in shop.heard if "fleeting" not in line]) >= len(expected))
    assert sorted(line for line in shop.heard if "fleeting" not in line) == expected


@pytest.mark.parametrize("kind", ["kept", "work"])
async def test_what_the_server_took_although_its_answer_was_lost_is_not_sent_twice(shop: Shop, kind: str) -> None:
    stream = channel_stream("kept") if kind == "kept" else action_stream("shop", "work")

    async def has_got(number: int) -> bool:
        return await added(shop, stream) == number

    async def take_and_lose_the_answer() -> None:
        shop.commits.then.clear()
        shop.proxy.delay = 60.0
        cutting.append(asyncio.create_task(cut_when_taken()))

    async def cut_when_taken() -> None:
        await until(lambda: has_got(2))
        shop.proxy.delay = 0.0
        await shop.proxy.cut()

    assert await shop.place(f"/{kind}/0") == 200  # the script is known, and who serves the action
    cutting: list[asyncio.Task[None]] = []
    shop.commits.then.append(take_and_lose_the_answer)
    assert await shop.place(f"/{kind}/1") == 200
    await cutting[0]
    assert await shop.place(f"/{kind}/2") == 200
    await until(lambda: {f"{kind} {number}" for number in range(3)} <= set(shop.heard))
    assert await added(shop, stream) == 3


async def test_an_event_of_a_plain_channel_that_was_on_its_way_is_not_sent_twice_and_holds_up_nothing(
    shop: Shop,
) -> None:
    async def lose_the_answer() -> None:
        shop.commits.then.clear()
        shop.proxy.delay = 60.0
        cutting.append(asyncio.create_task(cut_when_heard()))

    async def cut_when_heard() -> None:
        await until(took)
        shop.proxy.delay = 0.0
        await shop.proxy.cut()

    async def took() -> bool:
        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=0.01)
        heard.extend([] if message is None else [message["data"]])
        return bool(heard)

    assert await shop.place("/all/0") == 200  # the scripts are known, and who serves the action
    heard: list[bytes] = []
    cutting: list[asyncio.Task[None]] = []
    async with raw_redis(shop.engine.url) as redis, redis.pubsub() as subscription:
        await subscription.subscribe("fleeting")
        shop.commits.then.append(lose_the_answer)
        assert await shop.place("/all/1") == 503
        await cutting[0]
        await until(lambda: {"kept 1", "work 1"} <= set(shop.heard))
        assert await shop.place("/all/2") == 200
        while not heard[-1].endswith(b'"2"}'):
            await took()
    assert heard == [b'{"what":"1"}', b'{"what":"2"}']


async def added(shop: Shop, stream: str) -> int:
    """How many entries a stream has ever had."""
    async with raw_redis(shop.engine.url) as redis:
        if not await redis.exists(stream):
            return 0
        return int((await redis.xinfo_stream(stream))["entries-added"])
