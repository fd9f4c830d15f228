"""What a handler's statistics count: messages of every kind, their durations, and the errors that senders get."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from tests.support import until

from daebus import Action, Blueprint, Channel, Daebus, DaebusHttp, DaebusWebSocket, StreamAction
from daebus.connection.node import Node
from daebus.discovery.asking import ask
from daebus.errors import NotFound, ServiceError, Timeout
from daebus.protocol.discovery import HandlerStatistics, Stats
from daebus.telemetry.statistics import BOUNDS, Statistics
from daebus.testing import running


class Ask(msgspec.Struct):
    text: str


ANSWER = Action[Ask, str]("answer", service="shop")
SLOW = Action[Ask, str]("slow", service="shop")
COUNT = StreamAction[Ask, int]("count", service="shop")
NEWS = Channel[Ask]("news")


def shop(gate: asyncio.Event) -> Daebus:
    app = Daebus("shop")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    handlers = Blueprint("handlers")

    @handlers.action(ANSWER)
    async def answer(ask: Ask) -> str:
        if ask.text == "unknown":
            raise NotFound("nobody knows")
        if ask.text == "bug":
            raise ValueError(ask.text)
        return ask.text

    @handlers.action(SLOW)
    async def slow(_: Ask) -> str:
        await gate.wait()
        return "done"

    @handlers.action(COUNT)
    async def count(_: Ask) -> AsyncIterator[int]:
        yield 1
        yield 2

    @handlers.listen(NEWS)
    async def on_news(event: Ask) -> None: ...

    @handlers.route("/answers/<text>")
    def show(text: str) -> str:
        return text

    @handlers.socket("answer")
    async def reply(data: Ask) -> str:
        return data.text

    app.register_blueprint(handlers)
    return app


def test_durations_are_counted_by_their_bounds() -> None:
    made = Statistics()
    made.ended += [BOUNDS[3], 500.0, 1e-5, 0.0, BOUNDS[2] + 1e-9, 1e-6]
    assert made.seconds == pytest.approx(500.000_075, rel=1e-6)
    assert list(made.durations()) == [(1e-5, 3), (BOUNDS[3], 2), (None, 1)]
    assert list(made.durations()) == [(1e-5, 3), (BOUNDS[3], 2), (None, 1)]
    assert made.seconds == pytest.approx(500.000_075, rel=1e-6)
    made.reset()
    assert list(made.durations()) == []
    assert 118 < BOUNDS[-1] < 120
    assert all(1.41 < later / bound < 1.42 for bound, later in itertools.pairwise(BOUNDS))


def test_however_many_messages_come_few_durations_wait_to_be_sorted() -> None:
    made = Statistics()
    in_flight = [made.begin() for _ in range(700)]
    for _ in range(5_000):
        made.end(made.begin())
        assert len(made.ended) < 2_000
    assert made.in_flight == 700
    for begun in in_flight:
        made.end(begun)
    assert made.in_flight == 0
    assert sum(count for _, count in made.durations()) == made.begun == 5_700


def test_no_duration_is_lost_while_another_thread_reads() -> None:
    made, is_over = Statistics(), threading.Event()

    def read() -> list[int]:
        seen: list[int] = []
        while not is_over.is_set():
            seen.append(made.in_flight)
            list(made.durations())
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            for _ in range(50_000):
                made.end(made.begin())
            is_over.set()
    finally:
        sys.setswitchinterval(interval)
    assert min(reading.result()) >= 0
    assert sum(count for _, count in made.durations()) == made.begun == 50_000


def test_a_long_message_of_an_error_is_cut() -> None:
    made = Statistics()
    made.fail("internal", "x" * 1000, "r1")
    assert made.last_error is not None
    assert len(made.last_error.message) == 300


async def of(node: Node, title: str) -> HandlerStatistics:
    """The statistics of a handler, as its instance tells them."""
    (stats,) = await ask(node, "stats", Stats, service="shop")
    return next(one for one in stats.handlers if f"{one.kind} {one.name}" == title)


async def reached(node: Node, title: str, is_so: Callable[[HandlerStatistics], bool]) -> None:
    async def so() -> bool:
        return is_so(await of(node, title))

    await until(so)


@pytest.mark.usefixtures("daebus_redis_url")
async def test_each_kind_of_handler_counts_what_it_got_and_how_that_ended(node: Node) -> None:
    async with running(shop(asyncio.Event())) as app:
        assert await app.call(ANSWER, Ask("a")) == "a"
        for text in ("unknown", "bug"):
            with pytest.raises(ServiceError):
                await app.call(ANSWER, Ask(text))
        assert [one async for one in app.stream(COUNT, Ask("a"))] == [1, 2]
        assert (await app.http.get("/answers/b")).text == "b"
        async with app.socket() as socket:
            assert bytes((await socket.ask("answer", Ask("c"))).data) == b'"c"'
        await app.publish(NEWS, Ask("d"))
        await reached(node, "listen handlers.on_news", lambda one: one.messages == 1)

        answered = await of(node, "action answer")
        assert (answered.messages, answered.in_flight) == (3, 0)
        assert dict(answered.errors) == {"not_found": 1, "internal": 1}
        assert sum(count for _, count in answered.durations) == 3
        assert answered.seconds > 0
        assert answered.last_error is not None
        assert answered.last_error.code == "internal"
        assert "bug" not in answered.last_error.message  # the cause is for the log alone
        for title in ("action count", "route GET /answers/<text>", "socket answer"):
            other = await of(node, title)
            assert (other.messages, dict(other.errors)) == (1, {})


@pytest.mark.usefixtures("daebus_redis_url")
async def test_a_handler_at_work_is_in_flight_until_it_ends(node: Node) -> None:
    gate = asyncio.Event()
    async with running(shop(gate)) as app:
        waiting = asyncio.create_task(app.call(SLOW, Ask("e"), timeout=30))
        await reached(node, "action slow", lambda one: one.in_flight == 1)
        gate.set()
        assert await waiting == "done"
        assert (await of(node, "action slow")).in_flight == 0


@pytest.mark.usefixtures("daebus_redis_url")
async def test_a_call_that_is_cancelled_at_its_deadline_is_an_error(node: Node) -> None:
    async with running(shop(asyncio.Event())) as app:
        with pytest.raises(Timeout):
            await app.call(SLOW, Ask("a"), timeout=0.2)
        await reached(node, "action slow", lambda one: dict(one.errors) == {"timeout": 1})


@pytest.mark.usefixtures("daebus_redis_url")
async def test_another_run_of_the_app_counts_from_zero(node: Node) -> None:
    made = shop(asyncio.Event())
    for _ in range(2):
        async with running(made) as app:
            assert await app.call(ANSWER, Ask("a")) == "a"
            assert (await of(node, "action answer")).messages == 1
