"""Streams over a WebSocket: their items, their end, and who ends them."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from tests.support import until
from websockets.exceptions import ConnectionClosed

from daebus import Blueprint, Client, Context, Daebus, DaebusWebSocket, ServiceContainer, WebSocketLimits
from daebus.errors import NotFound
from daebus.testing import RunningService, Socket, running

FOREVER = 600


class Product(msgspec.Struct):
    id: str


class Told:
    """What the handlers have seen."""

    def __init__(self) -> None:
        self.made = 0
        self.ended: list[int] = []
        self.deadlines: list[float | None] = []


def make_app(told: Told) -> Daebus[Any]:
    app = Daebus("streams")
    app.attach(DaebusWebSocket(port=0, limits=WebSocketLimits(max_streams=3)))
    streams = Blueprint("streams", services=ServiceContainer)

    @streams.action("count", socket="count")
    async def count(limit: int) -> AsyncIterator[int]:
        if limit < 0:
            raise NotFound("There are none")
        for number in range(limit):
            told.made = number + 1
            yield number

    @streams.action("prices", socket="prices")
    async def prices(product: Product) -> AsyncIterator[int]:
        for price in (500, 450, 400):
            yield price

    @streams.action("wait", socket="wait")
    async def wait(number: int, context: Context) -> AsyncIterator[int]:
        told.deadlines.append(context.remaining)
        try:
            yield number
            await asyncio.sleep(FOREVER)
        finally:
            told.ended.append(number)

    @streams.action("until_stop", socket="until_stop")
    async def until_stop(context: Context) -> AsyncIterator[int]:
        yield 0
        await context.stopping.wait()
        yield 1
        told.ended.append(1)

    @streams.action("endless", socket="endless")
    async def endless() -> AsyncIterator[str]:
        try:
            for number in itertools.count():
                told.made = number + 1
                yield "x" * 10_000
        finally:
            told.ended.append(0)

    add_others(streams, told)
    app.register_blueprint(streams)
    return app


def add_others(streams: Blueprint[ServiceContainer], told: Told) -> None:
    @streams.action("break", socket="break")
    async def breaks(number: int) -> AsyncIterator[int]:
        yield number
        raise RuntimeError("a secret")

    @streams.action("wrong", socket="wrong")
    async def wrong() -> AsyncIterator[int]:
        yield "no number"  # type: ignore[misc]  # pyright: ignore[reportReturnType]

    @streams.socket("mine")
    async def mine(limit: int, client: Client) -> AsyncIterator[str | None]:
        for number in range(limit):
            yield f"{number} for {client.headers['x-name']}" if number else None

    @streams.action("ping", socket="ping")
    async def ping() -> str:
        return "pong"

    @streams.action("slow", socket="slow")
    async def slow(number: int) -> None:
        told.made = number
        try:
            await asyncio.sleep(FOREVER)
        finally:
            told.ended.append(number)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def service(told: Told) -> AsyncGenerator[RunningService]:
    async with running(make_app(told)) as service:
        yield service


async def say(client: Socket, **message: object) -> None:
    await client.connection.send(msgspec.json.encode(message).decode())


async def hear(client: Socket) -> tuple[str, object, object, bool]:
    """The type, the data, the id and whether it is the last one."""
    got = await client.receive(20)
    return got.type, msgspec.json.decode(got.data), got.id, got.final


async def code(client: Socket) -> tuple[object, object]:
    """The code of an error, and its id."""
    kind, data, about, is_last = await hear(client)
    assert (kind, is_last) == ("error", True)
    return cast("dict[str, object]", data)["code"], about


class TestItems:
    async def test_items_and_their_end(self, service: RunningService) -> None:
        async with service.socket() as client:
            await say(client, type="count", data=3, id="a")
            assert [await hear(client) for _ in range(4)] == [
                ("response", 0, "a", False),
                ("response", 1, "a", False),
                ("response", 2, "a", False),
                ("response", None, "a", True),
            ]
            await say(client, type="count", data=0, id="a")
            assert await hear(client) == ("response", None, "a", True)

    async def test_a_handler_of_messages_alone_may_stream(self, service: RunningService) -> None:
        async with service.socket(headers={"x-name": "ada"}) as client:
            await say(client, type="mine", data=2, id=4)
            assert [await hear(client) for _ in range(3)] == [
                ("response", None, 4, False),
                ("response", "1 for ada", 4, False),
                ("response", None, 4, True),
            ]

    async def test_other_messages_are_handled_meanwhile(self, service: RunningService) -> None:
        async with service.socket() as client:
            await say(client, type="wait", data=7, id=1)
            assert await hear(client) == ("response", 7, 1, False)
            await say(client, type="ping", id=2)
            assert await hear(client) == ("response", "pong", 2, True)
            await say(client, type="count", data=1, id=3)
            assert [await hear(client) for _ in range(2)] == [("response", 0, 3, False), ("response", None, 3, True)]

    @pytest.mark.parametrize(
        ("message", "wanted"),
        [
            ({"type": "count", "data": -1}, "not_found"),
            ({"type": "count", "data": "many"}, "bad_request"),
            ({"type": "wrong"}, "bad_reply"),
        ],
    )
    async def test_a_stream_may_begin_with_an_error(
        self, service: RunningService, message: dict[str, object], wanted: str
    ) -> None:
        async with service.socket() as client:
            await say(client, **message, id=1)
            assert await code(client) == (wanted, 1)

    async def test_a_stream_may_end_with_an_error(self, service: RunningService) -> None:
        async with service.socket() as client:
            await say(client, type="break", data=5, id=1)
            assert await hear(client) == ("response", 5, 1, False)
            assert await code(client) == ("internal", 1)


class TestCredit:
    async def test_no_more_items_are_sent_than_were_granted(self, service: RunningService, told: Told) -> None:
        async with service.socket() as client:
            await say(client, type="count", data=5, id=1, credit=2)
            assert [(await hear(client))[1] for _ in range(2)] == [0, 1]
            await until(lambda: told.made == 3)
            await say(client, type="ping", id=2)
            assert (await hear(client))[1] == "pong"
            assert told.made == 3
            await say(client, type="daebus.credit", id=1, credit=3)
            assert [await hear(client) for _ in range(4)] == [
                *(("response", number, 1, False) for number in (2, 3, 4)),
                ("response", None, 1, True),
            ]

    async def test_a_client_that_does_not_read_slows_the_handler_down(
        self, service: RunningService, told: Told
    ) -> None:
        async with service.socket() as client:
            await say(client, type="endless", id=1)
            await stands_still(lambda: told.made)
            made = told.made
            assert made < 20_000  # what the buffers of both sides have, and one that waits
            for _ in range(made):
                await client.receive(20)
            await until(lambda: told.made > made)
        await until(lambda: told.ended == [0])

    @pytest.mark.parametrize(
        "message",
        [
            {"type": "daebus.credit", "id": 1},
            {"type": "daebus.credit", "credit": 1},
            {"type": "daebus.cancel"},
            {"type": "daebus.credit", "id": 1, "credit": 0},
            {"type": "count", "data": 1, "id": 1, "credit": "5"},
        ],
    )
    async def test_malformed_messages_are_refused(self, service: RunningService, message: dict[str, object]) -> None:
        async with service.socket() as client:
            await say(client, **message)
            assert (await code(client))[0] == "bad_request"

    async def test_what_is_about_no_open_stream_is_ignored(self, service: RunningService) -> None:
        async with service.socket() as client:
            await say(client, type="daebus.credit", id=1, credit=1)
            await say(client, type="daebus.cancel", id=1)
            await say(client, type="ping", id=2)
            assert await hear(client) == ("response", "pong", 2, True)


class TestEnd:
    async def test_a_client_cancels_one_stream(self, service: RunningService, told: Told) -> None:
        async with service.socket() as client:
            for number in (1, 2):
                await say(client, type="wait", data=number, id=number)
                assert await hear(client) == ("response", number, number, False)
            await say(client, type="daebus.cancel", id=1)
            await until(lambda: told.ended == [1])
            await say(client, type="wait", data=3, id=1)  # the id is free again
            assert await hear(client) == ("response", 3, 1, False)
        await until(lambda: sorted(told.ended) == [1, 2, 3])

    async def test_the_time_of_the_client_ends_it(self, service: RunningService, told: Told) -> None:
        async with service.socket() as client:
            await say(client, type="wait", data=1, id=1, timeout_ms=100)
            assert await hear(client) == ("response", 1, 1, False)
            assert await code(client) == ("timeout", 1)
        assert told.ended == [1]
        assert told.deadlines[0] is not None

    async def test_a_client_cancels_a_message_that_is_handled(self, service: RunningService, told: Told) -> None:
        async with service.socket() as client:
            await say(client, type="slow", data=4, id="a")
            await until(lambda: told.made == 4)
            await say(client, type="daebus.cancel", id="b")
            await say(client, type="daebus.cancel", id="a")
            async with asyncio.timeout(3):  # it is noticed within 0.2 s
                await until(lambda: told.ended == [4])
            await say(client, type="ping", id=2)
            assert await hear(client) == ("response", "pong", 2, True)

    async def test_the_service_stops(self, told: Told) -> None:
        async with AsyncExitStack() as stack:
            async with running(make_app(told)) as service:
                client = await stack.enter_async_context(service.socket())
                await say(client, type="until_stop", id=1)
                await say(client, type="wait", data=2, id=2)
                assert {(await hear(client))[2] for _ in range(2)} == {1, 2}
                stopping = asyncio.create_task(stopped(client))
            assert await stopping == [1, ("unavailable", 1)]
        assert told.ended == [1, 2]


class TestLimits:
    async def test_ids(self, service: RunningService) -> None:
        async with service.socket() as client:
            await say(client, type="count", data=1)
            assert await code(client) == ("bad_request", None)
            await say(client, type="wait", data=1, id=1)
            await hear(client)
            await say(client, type="wait", data=2, id=1)
            assert await code(client) == ("conflict", 1)

    async def test_a_client_may_have_a_number_of_streams(self, service: RunningService, told: Told) -> None:
        async with service.socket() as client, service.socket() as other:
            for number in range(3):
                await say(client, type="wait", data=number, id=number)
                await hear(client)
            await say(client, type="wait", data=3, id=3)
            assert await code(client) == ("too_many_requests", 3)
            await say(other, type="wait", data=4, id=3)
            assert await hear(other) == ("response", 4, 3, False)
            await say(client, type="daebus.cancel", id=0)
            await until(lambda: told.ended == [0])
            await say(client, type="wait", data=3, id=3)
            assert await hear(client) == ("response", 3, 3, False)

    async def test_a_name_that_is_almost_right(self, service: RunningService) -> None:
        async with service.socket() as client:
            answer = await client.ask("cuont")
        assert b"did you mean 'count'?" in bytes(answer.data)


async def test_the_page_of_the_protocol(service: RunningService) -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    (block,) = re.findall(r"```json stream\n(.*?)\n```", page, re.DOTALL)
    asked, *answers = map(json.loads, block.splitlines())
    async with service.socket() as client:
        await client.connection.send(json.dumps(asked))
        for message in answers:
            if message["type"] == "daebus.credit":
                await client.connection.send(json.dumps(message))
            else:
                assert json.loads(await client.connection.recv()) == message


async def stopped(client: Socket) -> list[object]:
    """What comes until the connection is closed by the stop."""
    found: list[object] = []
    while client.connection.close_code is None:
        with suppress(ConnectionClosed):
            kind, data, about, _ = await hear(client)
            found.append((cast("dict[str, object]", data)["code"], about) if kind == "error" else data)
    assert client.connection.close_code == 1001
    return found


async def stands_still(value: Callable[[], object]) -> None:
    """Wait until a value is the same for half a second."""
    same, before = 0, value()
    while same < 50:
        await asyncio.sleep(0.01)
        same, before = (same + 1 if value() == before and before else 0), value()
