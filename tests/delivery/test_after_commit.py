"""What is published with ``after="commit"`` leaves once its message has succeeded, and else never."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from dependency_injector import providers
from litestar.response import Stream
from tests.engines import Engine
from tests.support import raw_redis, until

from daebus import (
    Action,
    BlockingBus,
    Bus,
    Channel,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    PerMessage,
    Running,
    ServiceContainer,
    Settings,
    StreamAction,
)
from daebus.core.timings import Timings
from daebus.errors import ConfigurationError, Conflict, TooLarge
from daebus.protocol.messages import action_stream
from daebus.testing import RunningService, running


class Happened(msgspec.Struct):
    what: str


EVENTS = Channel[Happened]("happened")
DURABLE = Channel[Happened]("kept", durable=True)
WORK = Action[str, None]("work", service="shop")
DO = Action[str, str]("do", service="shop")
DO_BLOCKING = Action[str, str]("do_blocking", service="shop")
ROWS = StreamAction[str, int]("rows", service="shop")


class Session:
    def __init__(self) -> None:
        self.fails = False


async def open_session(log: list[str]) -> AsyncIterator[Session]:
    session = Session()
    yield session
    if session.fails:
        raise Conflict("cannot commit")
    log.append("commit")


def open_blocking(log: list[str]) -> Iterator[Session]:
    yield Session()
    log.append("commit")


class Container(ServiceContainer):
    log = providers.Singleton[list[str]](list)
    session = PerMessage(open_session, log=log)
    blocking = PerMessage(open_blocking, log=log)


async def announce(bus: Bus, what: str) -> None:
    await bus.publish(EVENTS, Happened(what), after="commit")
    await bus.send(WORK, what, after="commit")


def make_app(log_of: Container) -> Daebus[Container]:
    app = Daebus("shop", container=log_of, settings=Settings(stop_timeout=5))
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @app.listen(EVENTS)
    async def hear(event: Happened, *, log: list[str]) -> None:
        log.append(f"event {event.what}")

    @app.action(WORK)
    async def work(what: str, *, log: list[str]) -> None:
        log.append(f"work {what}")

    @app.action(DO)
    async def do(what: str, *, session: Session, bus: Bus, log: list[str]) -> str:
        await announce(bus, what)
        await asyncio.gather(bus.publish(EVENTS, Happened(f"{what} too"), after="commit"))
        await asyncio.sleep(0.05)
        log.append("handled")
        session.fails = what == "uncommitted"
        if what == "failing":
            raise Conflict("the handler fails")
        return what

    @app.action(DO_BLOCKING)
    def do_blocking(what: str, *, blocking: Session, blocking_bus: BlockingBus, log: list[str]) -> str:
        blocking_bus.publish(EVENTS, Happened(what), after="commit")
        blocking_bus.send(WORK, what, after="commit")
        log.append("handled")
        return what

    return app


@pytest.fixture
def container() -> Container:
    return Container()


@pytest.fixture
def app(container: Container) -> Daebus[Container]:
    return make_app(container)


IMPATIENT = Timings(commit_patience=0.3)
"""A server that is away is given up soon."""


def before_and_after(log: list[str]) -> tuple[list[str], list[str]]:
    """What was logged up to the commit, and, in any order, what came of it."""
    index = log.index("commit") + 1
    return log[:index], sorted(log[index:])


async def test_an_event_leaves_after_the_commit(app: Daebus[Container], container: Container) -> None:
    log = container.log()
    async with running(app) as service:
        for action, more in ((DO, ["event x too"]), (DO_BLOCKING, [])):
            log.clear()
            assert await service.call(action, "x") == "x"
            await until(lambda: len(log) == 4 + len(more))  # noqa: B023
            assert before_and_after(log) == (["handled", "commit"], sorted(["event x", "work x", *more]))


@pytest.mark.parametrize("how", ["failing", "uncommitted"])
async def test_a_failure_publishes_nothing(app: Daebus[Container], container: Container, how: str) -> None:
    log = container.log()
    async with running(app) as service:
        with pytest.raises(Conflict):
            await service.call(DO, how)
        assert await service.call(DO, "x") == "x"
        await until(lambda: "work x" in log and "event x too" in log)
        assert [line for line in log if how in line] == []


async def test_events_leave_in_order_and_before_the_reply(app: Daebus[Container], container: Container) -> None:
    @app.action("many")
    async def many(*, bus: Bus) -> None:
        for number in range(50):
            await bus.publish(DURABLE, Happened(str(number)), after="commit")

    heard: list[str] = []

    @app.listen(DURABLE)
    async def hear_durable(event: Happened) -> None:
        heard.append(event.what)

    async with running(app) as service:
        await service.call(many)
        await until(lambda: len(heard) == 50)
        assert heard == [str(number) for number in range(50)]


async def test_streams_of_every_kind_publish_at_their_end(app: Daebus[Container], container: Container) -> None:
    log = container.log()

    @app.action(ROWS)
    async def rows(what: str, *, session: Session, bus: Bus) -> AsyncIterator[int]:
        await announce(bus, what)
        yield 1
        log.append("handled")
        yield 2

    @app.route("/<what>")
    async def show(what: str, *, session: Session, bus: Bus) -> Stream:
        async def body() -> AsyncIterator[str]:
            await announce(bus, what)
            yield "1"
            await asyncio.sleep(0.05)
            log.append("handled")
            session.fails = what == "uncommitted"
            yield "2"

        return Stream(body())

    async def ask_bus(service: RunningService) -> None:
        assert [item async for item in service.stream(ROWS, "x")] == [1, 2]

    async def ask_http(service: RunningService) -> None:
        assert (await service.http.get("/x")).text == "12"

    async with running(app) as service:
        for ask in (ask_bus, ask_http):
            log.clear()
            await ask(service)
            await until(lambda: len(log) == 4)
            assert before_and_after(log) == (["handled", "commit"], ["event x", "work x"])
        log.clear()
        with pytest.raises(httpx.RemoteProtocolError):
            await service.http.get("/uncommitted")
        await ask_http(service)
        await until(lambda: "work x" in log)
        assert [line for line in log if "uncommitted" in line] == []


async def test_every_kind_of_handler_can(app: Daebus[Container], container: Container) -> None:
    log = container.log()

    @app.on_start()
    async def start(*, bus: Bus) -> None:
        await announce(bus, "start")

    @app.background("tick", every=timedelta(seconds=0.2), scope="replica")
    async def tick(*, bus: Bus) -> None:
        await announce(bus, "tick")

    @app.route("/x")
    async def show(*, session: Session, bus: Bus) -> str:
        await announce(bus, "route")
        return "x"

    @app.socket("x")
    async def ws(*, session: Session, bus: Bus) -> None:
        await announce(bus, "socket")

    @app.listen(DURABLE)
    async def hear_durable(event: Happened, *, session: Session, bus: Bus) -> None:
        await announce(bus, "listener")

    async with running(app) as service:
        assert (await service.http.get("/x")).text == "x"
        async with service.socket() as socket:
            await socket.ask("x")
        await service.publish(DURABLE, Happened("x"))
        kinds = ("start", "tick", "route", "socket", "listener")
        await until(lambda: all(f"work {kind}" in log for kind in kinds))
        assert all(f"event {kind}" in log for kind in kinds if kind != "start")


async def test_mistakes_are_told_where_they_are_made(app: Daebus[Container]) -> None:
    left_behind: list[asyncio.Task[None]] = []
    told: list[str] = []

    async def too_late(bus: Bus) -> None:
        await asyncio.sleep(0.2)
        try:
            await bus.publish(EVENTS, Happened("late"), after="commit")
        except ConfigurationError as error:
            told.append(str(error))

    @app.action("large")
    async def large(*, bus: Bus) -> str:
        with pytest.raises(TooLarge):
            await bus.publish(EVENTS, Happened("x" * 2_000_000), after="commit")
        with pytest.raises(ConfigurationError, match="or leave it out to send at once"):
            await bus.publish(EVENTS, Happened("x"), after=cast("Any", "success"))
        await bus.publish(EVENTS, Happened("in time"), after="commit")
        left_behind.append(asyncio.create_task(too_late(bus)))
        return "fine"

    @app.thread("watch")
    def watch(running: Running, *, blocking_bus: BlockingBus) -> None:
        try:
            blocking_bus.publish(EVENTS, Happened("x"), after="commit")
        except ConfigurationError as error:
            told.append(str(error))
        running.wait(60)

    async with running(app) as service:
        with pytest.raises(ConfigurationError, match="none is handled here"):
            await service.publish(EVENTS, Happened("x"), after="commit")
        assert await service.call(large) == "fine"
        await until(lambda: len(told) == 2)
        assert all("or this is a thread, which handles no message" in text for text in told)


async def test_what_is_published_after_its_message_has_ended_is_told(
    app: Daebus[Container], caplog: pytest.LogCaptureFixture
) -> None:
    async def too_late(bus: Bus) -> None:
        await asyncio.sleep(0.2)
        await bus.publish(EVENTS, Happened("late"), after="commit")

    tasks: set[asyncio.Task[None]] = set()

    @app.action("leave")
    async def leave(*, bus: Bus) -> None:
        task = asyncio.create_task(too_late(bus))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with running(app) as service:
        await service.call(leave)
        await until(lambda: "not sent after the commit" in caplog.text)
        assert "event on \\'happened\\': {" in caplog.text


async def test_what_cannot_be_sent_after_the_commit_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    container = Container()
    app = make_app(container)
    log = container.log()
    gate: dict[str, Callable[[], Awaitable[None]]] = {}

    @app.route("/x")
    async def show(*, session: Session, bus: Bus) -> str:
        await announce(bus, "route")
        await gate["close"]()
        return "x"

    with Engine(tmp_path) as engine:
        async with running(app, redis_url=engine.url, timings=IMPATIENT) as service:

            async def close() -> None:
                engine.kill()

            gate["close"] = close
            try:
                response = await service.http.get("/x", timeout=30)
            finally:
                engine.start()  # without it the service would not stop in time
            assert response.status_code == 503
            assert "The work is committed, but some of the messages" in response.json()["detail"]
            assert log == ["commit"]
            assert "unsent=['event on \\'happened\\': {\"what\":\"route\"}', 'request shop.work with id " in caplog.text


async def test_what_is_not_sent_can_be_sent_from_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(Container())
    killed: list[Engine] = []

    @app.route("/x")
    async def show(*, bus: Bus) -> str:
        await bus.publish(DURABLE, Happened("order-17 " + 300 * "y"), after="commit")
        await bus.send(WORK, "order-18", after="commit")
        killed[0].kill()
        return "x"

    with Engine(tmp_path) as engine:
        killed.append(engine)
        async with running(app, redis_url=engine.url, timings=IMPATIENT) as service:
            try:
                assert (await service.http.get("/x", timeout=30)).status_code == 503
            finally:
                engine.start()  # without it the service would not stop in time
    messages = [cast("object", record.msg) for record in caplog.records]
    (told,) = [
        cast("dict[str, Any]", message)
        for message in messages
        if isinstance(message, dict) and message["event"] == "not sent after the commit"
    ]
    event, request = told["unsent"]
    shown = re.fullmatch(r"event on 'kept' with id [0-9a-z-]+: (.*)…", event)
    assert shown is not None, event
    assert len(shown[1]) == 200
    assert shown[1].startswith('{"what":"order-17 yyy')
    assert re.fullmatch(r'request shop.work with id [0-9a-z-]+: "order-18"', request), request


async def test_work_that_could_not_publish_is_done_again(
    app: Daebus[Container], container: Container, daebus_redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    log = container.log()
    elsewhere = Action[str, None]("work", service="elsewhere")
    stream = action_stream("elsewhere", "work")

    @app.action("again", backoff=0.05)
    async def again(*, session: Session, bus: Bus) -> None:
        await bus.send(elsewhere, "x", after="commit")

    async with raw_redis(daebus_redis_url) as redis, running(app, redis_url=daebus_redis_url) as service:
        await redis.set(stream, "no stream")
        await service.send(again)
        await until(lambda: "not sent after the commit" in caplog.text)
        await redis.delete(stream)
        await until(lambda: redis.xlen(stream))
        assert log.count("commit") >= 2
