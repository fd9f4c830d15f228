"""Rooms of WebSocket clients over two replicas: real sockets, a real server."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.faults.clusters import Cluster
from tests.processes import launched
from tests.support import raw_redis, until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from daebus import (
    Action,
    BlockingRooms,
    Client,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Member,
    Message,
    Room,
    Rooms,
    WebSocketLimits,
)
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.errors import Forbidden
from daebus.testing import RunningService, Socket, private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


class Watcher(msgspec.Struct):
    name: str


class Bid(msgspec.Struct):
    amount: int


class Offer(msgspec.Struct):
    auction: str
    amount: int
    quietly: bool = False


class Whisper(msgspec.Struct):
    to: list[str]
    amount: int


class Hint(msgspec.Struct):
    quietly: bool


class Line(msgspec.Struct):
    room: str
    amount: int


TIMINGS = Timings(room_lease=3.0)
AUCTION = Room[Watcher]("auction:{auction}", history=5)
LOBBY = Room[None]("lobby", latest=True)
UNKEPT = Room[None]("unkept", history=0)
SMALL = Room[None]("small:{number}", history_bytes=100)  # of messages with 34 bytes each
BID = Message[Bid]("bid")


def app_of() -> Daebus:
    app = Daebus("auctions")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket(limits=WebSocketLimits(max_rooms=3)))

    @app.socket_join(AUCTION)
    async def join(auction: str, client: Client) -> Watcher:
        if auction == "secret":
            raise Forbidden("This auction is private")
        return Watcher(f"{client.headers.get('x-name', 'someone')} at {auction}")

    @app.socket_join(Room[None]("auction:final"))
    async def join_final() -> None: ...

    @app.socket("skip")
    async def skip(amount: int, *, rooms: Rooms) -> None:
        await rooms.send(Room[None]("auction:{x}", history=0)(x="7"), BID, Bid(amount))

    @app.socket_join(LOBBY)
    def enter() -> None: ...

    @app.socket_join(UNKEPT)
    def enter_unkept() -> None: ...

    @app.socket_join(SMALL)
    def enter_small(number: int) -> None: ...

    @app.socket("offer")
    async def offer(offer: Offer, client: Client, *, rooms: Rooms) -> None:
        but = client.id if offer.quietly else ()
        await rooms.send(AUCTION(auction=offer.auction), BID, Bid(offer.amount), but=but)

    add_senders(app)
    return app


def add_senders(app: Daebus) -> None:
    @app.socket("whisper")
    async def whisper(said: Whisper, *, rooms: Rooms) -> None:
        await rooms.send(AUCTION(auction="7"), BID, Bid(said.amount), to=said.to)

    @app.socket("say")
    def say(line: Line, *, blocking_rooms: BlockingRooms) -> None:
        room = LOBBY() if line.room == LOBBY.name else UNKEPT()
        blocking_rooms.send(room, BID, Bid(line.amount))

    @app.socket("hint")
    async def hint(hint: Hint, client: Client, *, rooms: Rooms) -> None:
        await rooms.send(AUCTION(auction="7"), BID, Bid(0), but=client.id if hint.quietly else (), kept=False)

    @app.socket("squeeze")
    async def squeeze(amount: int, *, rooms: Rooms) -> None:
        await rooms.send(SMALL(number=1), BID, Bid(amount))

    @app.socket("list")
    async def members(auction: str, *, rooms: Rooms) -> list[Member[Watcher]]:
        return await rooms.members(AUCTION(auction=auction))

    @app.action("has")
    async def has(auction: str, *, rooms: Rooms) -> list[bool]:
        return [await rooms.has(AUCTION(auction=auction)), await rooms.has(LOBBY())]

    @app.action("has_blocking")
    def has_blocking(auction: str, *, blocking_rooms: BlockingRooms) -> bool:
        return blocking_rooms.has(AUCTION(auction=auction))

    @app.socket("remove")
    async def remove(client_id: str, *, rooms: Rooms) -> None:
        await rooms.remove(AUCTION(auction="7"), client_id)


class Page:
    """A client that keeps all that it gets.

    Attributes:
        got: All messages, in order.
    """

    def __init__(self, socket: Socket) -> None:
        self.got: list[dict[str, Any]] = []
        self.socket = socket

    async def read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.socket.connection:
                self.got.append(json.loads(text))

    async def ask(self, type_: str, data: object) -> dict[str, Any]:
        number = len(self.got)
        message_id = f"{type_}-{number}"
        await self.socket.send(type_, data, message_id=message_id)
        await until(lambda: any(each.get("id") == message_id for each in self.got))
        return self.answer(message_id)

    def answer(self, message_id: str) -> dict[str, Any]:
        return next(each for each in self.got if each.get("id") == message_id)

    async def join(self, room: str, **more: object) -> dict[str, Any]:
        answer = await self.ask("join", {"room": room, **more})
        assert answer["type"] == "response", answer
        joined: dict[str, Any] = answer["data"]
        return joined

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [each for each in self.got if each["type"] == type_]

    async def amounts(self, count: int) -> list[int]:
        """The amounts of the bids, once there are so many."""
        await until(lambda: len(self.of("bid")) >= count)
        return [each["data"]["amount"] for each in self.of("bid")]


@asynccontextmanager
async def page_of(service: RunningService, **headers: str) -> AsyncGenerator[Page]:
    async with service.socket(headers=headers) as socket:
        page = Page(socket)
        reading = asyncio.create_task(page.read())
        yield page
        await socket.connection.close()
        await reading


@asynccontextmanager
async def replicas(
    timings: Timings = DEFAULT_TIMINGS, url: str | None = None
) -> AsyncGenerator[tuple[RunningService, RunningService]]:
    url = url or private_redis_url()
    async with (
        running(app_of(), redis_url=url, timings=timings) as one,
        running(app_of(), redis_url=url, timings=timings) as two,
    ):
        yield one, two


async def test_members_at_all_replicas_get_the_messages_of_a_room_in_one_order() -> None:
    async with replicas() as (one, two), page_of(one) as a, page_of(two) as b, page_of(two) as c:
        for page in (a, b):
            await page.join("auction:7")
        await c.join("auction:8")
        for number in range(1, 21):
            await (a if number % 2 else b).socket.send("offer", Offer("7", number))
        await c.socket.send("offer", Offer("8", 1))
        await a.amounts(20)
        await b.amounts(20)
        assert a.of("bid") == b.of("bid")
        assert [each["offset"] for each in a.of("bid")] == list(range(1, 21))
        assert {(each["room"], len({each["epoch"]})) for each in a.of("bid")} == {("auction:7", 1)}
        assert await c.amounts(1) == [1]


async def test_whether_anybody_is_in_a_room() -> None:
    async with replicas() as (one, two), page_of(two) as page:
        has, has_blocking = Action[str, list[bool]]("has"), Action[str, bool]("has_blocking")
        assert await one.call(has, "7") == [False, False]
        await page.join("auction:7")
        await page.join("lobby")
        assert await one.call(has, "7") == [True, True]
        assert await one.call(has_blocking, "7")
        assert not await one.call(has_blocking, "8")


async def test_a_client_that_comes_back_to_another_replica_gets_what_it_missed_first() -> None:
    async with replicas() as (one, two), page_of(one) as sender:
        async with page_of(one) as before:
            joined = await before.join("auction:7")
            assert (joined["offset"], "recovered" in joined) == (0, False)
            await sender.socket.send("offer", Offer("7", 1))
            await before.amounts(1)
            seen = {key: before.of("bid")[-1][key] for key in ("epoch", "offset")}
        for number in (2, 3, 4):
            await sender.ask("offer", Offer("7", number))
        async with page_of(two) as after:
            answer = await after.ask("resume", {"rooms": {"auction:7": seen, "auction:secret": seen}})
            rooms = answer["data"]["rooms"]
            assert rooms["auction:7"]["recovered"] == "full"
            assert rooms["auction:secret"] == {"error": {"error": "This auction is private", "code": "forbidden"}}
            await sender.socket.send("offer", Offer("7", 5))
            assert await after.amounts(4) == [2, 3, 4, 5]
            kinds = [each["type"] for each in after.got if each["type"] in ("response", "bid")]
            assert kinds == ["response", "bid", "bid", "bid", "bid"]


async def test_a_client_that_was_away_too_long_is_told_so() -> None:
    async with replicas() as (one, two), page_of(one) as sender, page_of(two) as after:
        epoch = (await sender.join("auction:7"))["epoch"]
        for number in range(1, 8):
            await sender.ask("offer", Offer("7", number))
        answer = await after.join("auction:7", since={"epoch": epoch, "offset": 1})
        assert (answer["recovered"], answer["offset"]) == ("partial", 2)
        assert await after.amounts(5) == [3, 4, 5, 6, 7]
        answer = await after.join("auction:7", since={"epoch": "another", "offset": 1})
        assert answer["recovered"] == "lost"
        answer = await after.join("auction:7", since={"epoch": epoch, "offset": 7})
        assert answer["recovered"] == "full"


async def test_a_message_that_was_not_kept_is_missed() -> None:
    async with replicas() as (one, two), page_of(one) as sender, page_of(two) as after:
        epoch = (await sender.join("auction:7"))["epoch"]
        await sender.ask("offer", Offer("7", 1))
        await sender.ask("skip", 2)
        await sender.ask("offer", Offer("7", 3))
        answer = await after.join("auction:7", since={"epoch": epoch, "offset": 0})
        assert answer["recovered"] == "partial"
        assert await after.amounts(2) == [1, 3]
        assert await sender.amounts(3) == [1, 2, 3]


async def test_a_name_without_parameters_is_that_of_its_own_room() -> None:
    async with replicas() as (one, _), page_of(one) as a:
        assert "members" not in await a.join("auction:final")
        assert "members" in await a.join("auction:finals")


async def test_members_see_who_comes_and_goes() -> None:
    async with replicas() as (one, two), page_of(one, **{"x-name": "ada"}) as ada:
        joined = await ada.join("auction:7")
        assert [each["data"] for each in joined["members"]] == [{"name": "ada at 7"}]
        async with page_of(two, **{"x-name": "bob"}) as bob:
            joined = await bob.join("auction:7")
            assert [each["data"]["name"] for each in joined["members"]] == ["ada at 7", "bob at 7"]
            await until(lambda: len(ada.of("presence")) == 1)
            (told,) = ada.of("presence")[0]["data"]["joined"]
            assert told["data"] == {"name": "bob at 7"}
            assert bob.of("presence") == []
            await bob.join("auction:7")  # nothing has changed
        await until(lambda: len(ada.of("presence")) == 2)
        assert ada.of("presence")[1]["data"] == {"left": [told["id"]]}


async def test_a_message_can_go_to_some_members_or_to_all_but_some() -> None:
    async with replicas() as (one, two), page_of(one) as a, page_of(two) as b, page_of(two) as c:
        ids: list[str] = []
        for page in (a, b, c):
            members = (await page.join("auction:7"))["members"]
            ids.extend(each["id"] for each in members if each["id"] not in ids)
        await a.ask("offer", Offer("7", 1, quietly=True))
        await a.ask("whisper", Whisper(ids[1:], 100))
        await a.ask("offer", Offer("7", 2))
        assert [await page.amounts(3) for page in (b, c)] == [[1, 100, 2]] * 2
        assert await a.amounts(1) == [2]
        assert ["offset" in each for each in b.of("bid")] == [True, False, True]
        assert [each["data"]["offset"] for each in a.of("offset")] == [1]


async def test_a_message_that_is_not_kept_reaches_who_is_there() -> None:
    async with replicas() as (one, two), page_of(one) as a, page_of(two) as b:
        epoch = (await a.join("auction:7"))["epoch"]
        await b.join("auction:7")
        await a.ask("hint", Hint(quietly=True))
        await a.ask("offer", Offer("7", 1))
        await b.ask("hint", Hint(quietly=False))
        assert (await a.amounts(2), await b.amounts(3)) == ([1, 0], [0, 1, 0])
        assert ["offset" in each for each in b.of("bid")] == [False, True, False]
        assert (await b.join("auction:7", since={"epoch": epoch, "offset": 0}))["recovered"] == "full"
        assert await b.amounts(4) == [0, 1, 0, 1]


async def test_the_history_of_a_room_is_limited_in_bytes() -> None:
    async with replicas() as (one, _), page_of(one) as a:
        epoch = (await a.join("small:1"))["epoch"]
        for amount in (11, 12, 13, 14, 15):
            await a.ask("squeeze", amount)
        answer = await a.join("small:1", since={"epoch": epoch, "offset": 0})
        assert (answer["recovered"], answer["offset"]) == ("partial", 3)
        await a.ask("squeeze", 10**60)  # the last one is kept in any case
        answer = await a.join("small:1", since={"epoch": epoch, "offset": 0})
        assert (answer["recovered"], answer["offset"]) == ("partial", 5)


async def test_an_answer_has_no_members_of_dead_replicas() -> None:
    async with replicas() as (one, _), page_of(one) as a, raw_redis(private_redis_url()) as admin:
        await admin.hset("daebus:{room:auction:7}:members", "dead-1", '{"id":"dead-1","data":{"name":"x"}}')
        assert len((await a.join("auction:7"))["members"]) == 1
        assert len((await a.ask("list", "7"))["data"]) == 1


async def test_a_wrong_value_in_the_name_of_a_room_is_told_as_such() -> None:
    async with replicas() as (one, _), page_of(one) as a:
        answer = (await a.ask("join", {"room": "small:x"}))["data"]
        assert answer["error"] == "Invalid room parameter `number`: expected `int`, got `str`", answer
        assert answer["details"]["errors"][0]["in"] == "room"


async def test_a_client_gets_the_latest_message_of_a_room_that_offers_it() -> None:
    async with replicas() as (one, two), page_of(one) as a:
        await a.ask("say", Line(LOBBY.name, 1))
        await a.ask("say", Line(LOBBY.name, 2))
        async with page_of(two) as b:
            joined = await b.join("lobby")
            assert "members" not in joined
            assert await b.amounts(1) == [2]
            await a.ask("say", Line(LOBBY.name, 3))
            assert await b.amounts(2) == [2, 3]
            joined = await b.join("lobby", since={"epoch": "another", "offset": 9})
            assert (joined["recovered"], joined["offset"]) == ("lost", 2)
            assert await b.amounts(3) == [2, 3, 3]


async def test_a_room_without_history_is_live_only() -> None:
    async with replicas() as (one, two), page_of(one) as a, page_of(two) as b:
        joined = await b.join("unkept")
        await a.ask("say", Line(UNKEPT.name, 1))
        await a.ask("say", Line(UNKEPT.name, 2))
        assert await b.amounts(2) == [1, 2]
        since = {"epoch": joined["epoch"], "offset": 1}
        assert (await a.join("unkept", since=since))["recovered"] == "lost"


async def test_a_member_leaves_or_is_removed() -> None:
    async with replicas() as (one, two), page_of(one) as a, page_of(two) as b:
        await a.join("auction:7")
        members = (await b.join("auction:7"))["members"]
        assert (await b.ask("leave", {"room": "auction:7"}))["type"] == "response"
        assert (await b.ask("leave", {"room": "auction:7"}))["data"]["code"] == "not_in_room"
        await a.ask("offer", Offer("7", 1))
        await b.join("auction:7")
        listed = await a.ask("list", "7")
        assert sorted(each["id"] for each in listed["data"]) == sorted(each["id"] for each in members)
        await a.ask("remove", members[0]["id"])
        await a.ask("remove", members[1]["id"])
        await until(lambda: len(a.of("removed")) == len(b.of("removed")) == 1)
        await members_become(a, 0)
        assert b.of("bid") == []


async def test_requests_that_are_wrong_get_an_error() -> None:
    async with replicas() as (one, _), page_of(one) as a:
        codes = [
            (await a.ask(type_, data))["data"]["code"]
            for type_, data in [
                ("join", {"room": "auction:secret"}),
                ("join", {"room": "auktion:7"}),
                ("join", {"room": "auction:"}),
                ("join", {"room": "auction:a b"}),
                ("join", None),
                ("join", {"room": "auction:7", "since": 3}),
                ("resume", {"rooms": {"lobby": {"epoch": "x", "offset": -1}}}),
            ]
        ]
        assert codes == ["forbidden", *["no_such_room"] * 3, *["bad_request"] * 3]


async def test_members_miss_nothing_when_the_connection_to_the_server_breaks() -> None:
    async with (
        replicas() as (one, two),
        page_of(one) as a,
        page_of(two) as b,
        raw_redis(private_redis_url()) as admin,
    ):
        await b.join("auction:7")
        for number in range(1, 31):
            if number % 4 == 0:
                await admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            answer = await a.ask("offer", Offer("7", number))
            assert answer["type"] == "response"
            if number % 4 == 2:
                await b.amounts(number)
        assert await b.amounts(30) == list(range(1, 31))
        assert b.of("recovered") == []


async def test_members_are_told_if_the_server_has_lost_the_messages() -> None:
    async with (
        replicas(TIMINGS) as (one, two),
        page_of(one) as a,
        page_of(two) as b,
        raw_redis(private_redis_url()) as admin,
    ):
        await b.join("auction:7")
        epoch = (await a.join("auction:7"))["epoch"]
        await a.ask("offer", Offer("7", 1))
        await b.amounts(1)
        await admin.delete(*await admin.keys("daebus:*room*"))
        await until(lambda: len(b.of("recovered")) == 1)
        told = b.of("recovered")[0]["data"]
        assert told["recovered"] == "lost"
        assert told["epoch"] != epoch
        await a.ask("offer", Offer("7", 2))
        assert await b.amounts(2) == [1, 2]
        assert b.of("bid")[1]["offset"] == 1
        await members_become(a, 2)


async def test_the_members_of_a_replica_that_was_killed_leave_within_a_lease(tmp_path: Path) -> None:
    url = private_redis_url()
    with launched(sys.executable, "-m", "tests.rooms.replica", DAEBUS_REDIS_URL=url) as process:
        await until(lambda: "port " in process.output(), 60)
        port = process.output().split("port ")[1].split()[0]
        async with running(app_of(), redis_url=url, timings=TIMINGS) as one, page_of(one) as a:
            await a.join("auction:7")
            async with connect(f"ws://127.0.0.1:{port}/ws") as socket:
                other = Page(Socket(socket))
                reading = asyncio.create_task(other.read())
                await other.join("auction:7")
                await until(lambda: len(a.of("presence")) == 1)
                process.process.kill()
                await until(lambda: len(a.of("presence")) == 2)
                assert list(a.of("presence")[1]["data"]) == ["left"]
                assert len((await a.ask("list", "7"))["data"]) == 1
                await reading


async def test_rooms_on_a_cluster(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        async with replicas(TIMINGS, cluster.url) as (one, two), page_of(one) as a, page_of(two) as b:
            await a.join("auction:7")
            epoch = (await b.join("auction:7"))["epoch"]
            for number in range(1, 11):
                await a.ask("offer", Offer("7", number))
            assert await b.amounts(10) == list(range(1, 11))
            await members_become(a, 2)
            await b.ask("leave", {"room": "auction:7"})
            answer = await b.join("auction:7", since={"epoch": epoch, "offset": 8})
            assert answer["recovered"] == "full"
            assert (await b.amounts(12))[10:] == [9, 10]
    finally:
        cluster.kill()


async def test_the_rooms_of_a_client_are_limited() -> None:
    async with replicas() as (one, _), page_of(one) as a:
        for name in ("auction:1", "auction:2", "lobby", "lobby"):
            await a.join(name)
        refused = await a.ask("join", {"room": "auction:4"})
        assert refused["data"]["code"] == "too_many_requests"
        await a.ask("leave", {"room": "lobby"})
        await a.join("auction:4")


async def test_the_page_of_the_protocol_shows_these_messages() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    blocks = re.findall(r"```json room\n(.*?)\n```", page, re.DOTALL)
    shown = [json.loads(line) for block in blocks for line in block.splitlines()]
    async with replicas() as (one, two), page_of(one) as a, page_of(two) as b:
        await a.join("auction:7")
        await b.join("auction:7")
        await b.ask("offer", Offer("7", 1))
        await a.amounts(1)
        seen = {key: a.of("bid")[0][key] for key in ("epoch", "offset")}
        await b.ask("leave", {"room": "auction:7"})
        await a.ask("resume", {"rooms": {"auction:7": seen}})
        await until(lambda: len(a.of("presence")) == 2)
        room = {shape_of(each) for each in a.got}
        for each in shown:
            if each["type"] not in ("join", "leave", "resume"):
                assert shape_of(each) in room, each


def shape_of(message: dict[str, Any]) -> str:
    """A message without its values."""
    text = json.dumps({**message, "id": 0} if "id" in message else message, sort_keys=True)
    return re.sub(r'(?<=[\[:])( ?)("[^"]*"|\d+)(?=[],}])', r"\1*", text)


async def members_become(page: Page, count: int) -> None:
    async def are_so_many() -> bool:
        return len((await page.ask("list", "7"))["data"]) == count

    await until(are_so_many)
