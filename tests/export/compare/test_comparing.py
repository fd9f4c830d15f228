"""The contracts of a service are compared as a whole: actions, routes, channels, WebSocket messages, rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
import pytest
from tests.export.market import app as market
from tests.export.torture import app as torture
from tests.openapi.shop import app as items

from daebus import (
    Blueprint,
    Channel,
    Clients,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    Message,
    Room,
    ServiceContainer,
)
from daebus.export.compare.changes import Change
from daebus.export.compare.comparing import compare
from daebus.export.compare.described import Contracts, describe
from daebus.export.compare.shapes import Plain


class Query(msgspec.Struct):
    id: int


class Narrower(msgspec.Struct):
    id: int
    page: int


class User(msgspec.Struct):
    name: str


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token) if credentials.token else None


class Container(ServiceContainer):
    user = Identity(find_user)


def is_ada(user: User) -> bool:
    return user.name == "ada"


Shop = Blueprint[Container]
Fill = Callable[[Shop], None]


def contracts(fill: Fill, *, path: str = "/ws") -> Contracts:
    """The contracts of a service with some handlers; a copy of them, as it is in a file."""
    app, blueprint = Daebus("shop", container=Container()), Blueprint("b", services=Container)
    fill(blueprint)
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket(path))
    app.register_blueprint(blueprint)
    made = describe(app.check(may_idle=True))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Contracts) == made
    return made


def nothing(_: Shop) -> None: ...


def an_action(b: Shop) -> None:
    @b.action("find")
    async def find(query: Query) -> str:
        raise NotImplementedError


def a_narrower_action(b: Shop) -> None:
    @b.action("find")
    async def find(query: Narrower) -> str:
        raise NotImplementedError


def an_action_with_another_reply(b: Shop) -> None:
    @b.action("find")
    async def find(query: Query) -> int:
        raise NotImplementedError


def an_action_without_a_payload(b: Shop) -> None:
    @b.action("find")
    async def find() -> str:
        raise NotImplementedError


def a_streaming_action(b: Shop) -> None:
    @b.action("find")
    async def find(query: Query) -> AsyncIterator[str]:
        yield ""


def an_action_for_users(b: Shop) -> None:
    @b.action("find")
    async def find(query: Query, *, user: User) -> str:
        raise NotImplementedError


def a_guarded_action(b: Shop) -> None:
    @b.action("find", requires=is_ada)
    async def find(query: Query, *, user: User) -> str:
        raise NotImplementedError


def a_route(b: Shop) -> None:
    @b.route("/things/<number>")
    async def show(number: int, page: int = 0) -> str:
        raise NotImplementedError


def a_route_with_another_name(b: Shop) -> None:
    @b.route("/things/<thing>/")
    async def look(thing: int, page: int = 1, size: int = 3) -> str:
        raise NotImplementedError


def a_route_with_a_wider_parameter(b: Shop) -> None:
    @b.route("/things/<number>")
    async def show(number: str, page: int | None = None) -> str:
        raise NotImplementedError


def a_route_with_a_required_parameter(b: Shop) -> None:
    @b.route("/things/<number>")
    async def show(number: int, page: int) -> str:
        raise NotImplementedError


def a_route_with_another_status(b: Shop) -> None:
    @b.route("/things/<number>", status_code=202)
    async def show(number: int, page: int = 0) -> str:
        raise NotImplementedError


def a_listener(b: Shop) -> None:
    @b.listen(Channel[Query]("things"))
    async def hear(event: Query) -> None: ...


def a_durable_listener(b: Shop) -> None:
    @b.listen(Channel[Query]("things", durable=True))
    async def hear(event: Query) -> None: ...


def a_narrower_listener(b: Shop) -> None:
    @b.listen(Channel[Narrower]("things"))
    async def hear(event: Narrower) -> None: ...


NOTICE = Message[str]("notice")
ROOM = Room[str]("room:{number}")


def a_message(b: Shop) -> None:
    @b.socket("say")
    async def say(data: Query, *, clients: Clients) -> str:
        await clients.broadcast(NOTICE, "x")
        return ""


def a_room(b: Shop) -> None:
    @b.socket_join(ROOM)
    async def join(number: str) -> str:
        raise NotImplementedError


BREAKING: Sequence[tuple[Fill, Fill, str, str]] = (
    (an_action, nothing, "action find", "it is removed"),
    (an_action, a_narrower_action, "action find, request.page", "it is new and required"),
    (an_action, an_action_with_another_reply, "action find, reply", "str became int"),
    (an_action, a_streaming_action, "action find", "its answer is a stream now"),
    (an_action, an_action_for_users, "action find", "strangers are refused now"),
    (an_action_for_users, a_guarded_action, "action find", "it requires is_ada now"),
    (an_action_without_a_payload, an_action, "action find, request", "None became Query"),
    (a_route, nothing, "route GET /things/<>", "it is removed"),
    (a_route, a_route_with_a_required_parameter, "route GET /things/<>, query parameter page", "it is required now"),
    (a_route_with_a_wider_parameter, a_route, "route GET /things/<>, path parameter 1", "str became int"),
    (a_route, a_route_with_another_status, "route GET /things/<>", "the status of a success was 200, and is 202"),
    (a_listener, a_durable_listener, "listen things", "the channel is durable now"),
    (a_listener, a_narrower_listener, "listen things, event.page", "it is new and required"),
    (a_message, nothing, "socket say", "it is removed"),
    (a_room, nothing, "room room:{number}", "it is removed"),
)

HARMLESS: Sequence[tuple[Fill, Fill, str]] = (
    (nothing, an_action, "action find: it is new"),
    (an_action, an_action_without_a_payload, ""),
    (a_guarded_action, an_action_for_users, ""),
    (an_action_for_users, an_action, "action find: strangers are served now"),
    (a_route, a_route_with_another_name, "route GET /things/<>, query parameter size: it is new"),
    (a_route, a_route_with_a_wider_parameter, "int became str"),
    (nothing, a_message, "socket say: it is new"),
    (nothing, a_room, "room room:{number}: it is new"),
    (a_listener, nothing, "listen things: the service no longer takes part"),
)


@pytest.mark.parametrize(("before", "after", "place", "change"), BREAKING)
def test_what_breaks_others(before: Fill, after: Fill, place: str, change: str) -> None:
    found = compare(contracts(before), contracts(after))
    breaking = [(each.place, each.change) for each in found if each.is_breaking]
    assert (place, change) in breaking
    assert found[0].is_breaking


@pytest.mark.parametrize(("before", "after", "says"), HARMLESS)
def test_what_breaks_nobody(before: Fill, after: Fill, says: str) -> None:
    found = compare(contracts(before), contracts(after))
    assert [each for each in found if each.is_breaking] == []
    assert any(says in f"{each.place}: {each.change}" for each in found) or not says


@pytest.mark.parametrize(
    "fill", [an_action, a_streaming_action, a_guarded_action, a_route, a_listener, a_message, a_room]
)
def test_contracts_that_stay_have_no_changes(fill: Fill) -> None:
    assert list(compare(contracts(fill), contracts(fill))) == []


@pytest.mark.parametrize("app", [market, items, torture], ids=["market", "items", "torture"])
def test_contracts_of_every_type_are_the_same_from_a_file(app: Daebus) -> None:
    made = describe(app.check())
    read = msgspec.json.decode(msgspec.json.encode(made), type=Contracts)
    assert read == made
    assert list(compare(read, made)) == []


def test_the_messages_that_clients_get_are_given() -> None:
    before = contracts(a_message)
    after = msgspec.structs.replace(before, sends={"notice": Plain("int"), "more": Plain("str")})
    found = [(each.place, each.change, each.is_breaking) for each in compare(before, after)]
    assert found == [("message notice", "str became int", True), ("message more", "it is new", False)]


def test_the_path_of_the_websocket_and_the_name_of_the_service_stay() -> None:
    moved = compare(contracts(a_message), contracts(a_message, path="/live"))
    assert [(each.place, each.change) for each in moved] == [("the WebSocket", "its path was /ws, and is /live")]
    renamed = msgspec.structs.replace(contracts(an_action), service="store")
    (change,) = compare(contracts(an_action), renamed)
    assert change == Change(
        "the service",
        "'shop' became 'store'",
        is_breaking=True,
        why="callers ask for the service by its name",
        remedy="leave the name as it was",
    )
