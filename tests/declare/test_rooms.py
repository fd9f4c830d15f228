"""`Room`: names, options and addresses."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Message, Room
from daebus.declare.rooms import are_ambiguous, match_room
from daebus.errors import BadRequest, ConfigurationError, WiringError


class Watcher(msgspec.Struct):
    name: str


AUCTION = Room[Watcher]("auction:{house}:{number}")


def test_one_contract_names_many_rooms() -> None:
    assert AUCTION(house="a", number=7).name == "auction:a:7"
    assert Room[None]("lobby")().name == "lobby"
    assert match_room(AUCTION.name, "auction:a:7") == {"house": "a", "number": "7"}
    for other in ("auction:a", "auction:a:7:8", "auction:a:", "auction:a b:7", "xauction:a:7", "auction:a:7\n"):
        assert match_room(AUCTION.name, other) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"house": "a"}, r": Room 'auction:\{house\}:\{number\}' takes house=..., number=..., not house=...$"),
        ({"house": "a", "number": 7, "x": 1}, "not house=..., number=..., x=...$"),
        ({"hous": "a", "number": 7}, r"test_rooms.py:\d+: Room .*, not hous=..., number=...; did you mean 'house'\?$"),
        ({"house": "a:b", "number": 7}, "house='a:b' has spaces, colons or braces, or is not of 1 to 128 characters$"),
        ({"house": "a" * 129, "number": 7}, "is not of 1 to 128 characters$"),
        ({"house": "", "number": 7}, "house='' has"),
    ],
)
def test_a_wrong_address_is_refused(values: dict[str, str | int], message: str) -> None:
    with pytest.raises((ConfigurationError, BadRequest), match=message):
        AUCTION(**values)


def test_wrong_options_are_refused() -> None:
    for name, options, found in [
        ("a b", {}, "contains ' '"),
        ("a:{x}:{x}", {}, r"it has \{x\} twice"),
        ("a:{x", {}, r"contains '\{'"),
        ("a:{x}{y}", {}, "two parameters have nothing between them"),
        ("a:{class}", {}, r"\{class\} is no parameter name"),
        ("a", {"history": -1}, "history=-1"),
        ("a", {"history": 10_001}, "from 0 to 10000"),
        ("a", {"history_bytes": 0}, "history_bytes=0"),
        ("a", {"keep": timedelta()}, "keep="),
        ("a", {"keep": 5}, "keep=5, which must be a timedelta above 0"),
        ("a", {"latest": True, "history": 0}, "latest=True, and with history=0 no message is kept"),
    ]:
        with pytest.raises(WiringError, match=found):
            Room[None](name, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_mistakes_of_join_handlers_are_reported() -> None:
    bids = Blueprint("bids")

    @bids.socket_join(AUCTION)
    async def join(house: str, number: int, client: Client) -> Watcher:
        return Watcher(house)

    @bids.socket_join(Room[Watcher]("auction:{a}:{b}"))  # type: ignore[daebus-duplicate]
    async def join_again(a: str) -> Watcher:
        return Watcher(a)

    @bids.socket_join(Room[Watcher]("other:{a}"))
    async def other(b: str) -> Watcher:  # type: ignore[daebus-signature]
        return Watcher(b)

    app = Daebus("bids")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())
    with pytest.raises(WiringError) as raised:
        app.register_blueprint(bids)
    assert {problem.code for problem in raised.value.problems} == {"duplicate-handler", "unexpected-payload"}
    assert "gets only 'a' from the name of the room" in str(raised.value)


def test_the_messages_of_rooms_are_reserved_in_an_app_with_rooms() -> None:
    app = Daebus("bids")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.socket("resume")
    async def resume(data: int) -> None: ...

    app.check()
    app = Daebus("bids")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.socket("resume")
    async def resume_bids(data: int) -> None: ...

    @app.socket_join(AUCTION)
    async def join(house: str) -> Watcher:
        return Watcher(house)

    with pytest.raises(WiringError, match="the app has rooms, whose clients send 'resume'"):
        app.check()


def test_a_message_cannot_have_the_name_of_what_members_are_told() -> None:
    for name in ("presence", "offset", "recovered", "removed"):
        with pytest.raises(WiringError, match="is reserved for what members of rooms are told"):
            Message[int](name)


def test_no_other_decorator_takes_a_room() -> None:
    with pytest.raises(WiringError, match=r"write @socket_join\(\.\.\.\)"):
        Blueprint("bids").action(AUCTION)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    with pytest.raises(WiringError, match="it takes a Room, not 'auction'"):
        Blueprint("bids").socket_join("auction")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("one", "other", "ambiguous"),
    [
        ("{kind}:news", "chat:{name}", True),
        ("chat:{name}", "chat:{other}", True),
        ("a{x}c", "ab{y}", True),
        ("{x}-{y}", "a{x}-b{y}", True),
        ("{x}b", "a{y}", True),
        ("chat:{name}", "chat:news", False),  # the one without parameters is meant
        ("{x}-{y}", "a-{y}", False),
        ("chat:{name}", "chat:a:{b}", False),
        ("chat:{name}", "news:{name}", False),
        ("a{x}", "b{x}", False),
        ("lobby", "lobbies", False),
    ],
)
def test_contracts_that_mean_a_room_alike(one: str, other: str, *, ambiguous: bool) -> None:
    assert are_ambiguous(one, other) is are_ambiguous(other, one) is ambiguous


def test_join_handlers_of_which_either_could_be_meant_are_refused() -> None:
    app, news = Daebus("chat"), Blueprint("news")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @news.socket_join(Room[None]("chat:{name}"))
    async def join(name: str) -> None: ...

    @news.socket_join(Room[None]("{kind}:news"))  # type: ignore[daebus-duplicate]
    async def join_news(kind: str) -> None: ...

    with pytest.raises(WiringError, match=r"some rooms of '\{kind\}:news' are also rooms of 'chat:") as caught:
        app.register_blueprint(news)
    assert [problem.code for problem in caught.value.problems] == ["taken-name"]
