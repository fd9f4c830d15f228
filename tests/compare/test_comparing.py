"""The contracts of a service are compared as a whole: actions, routes, channels, WebSocket messages, rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path

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
from daebus.compare.changes import Change
from daebus.compare.comparing import compare
from daebus.compare.contracts import Contracts
from daebus.compare.shapes import Plain
from daebus.errors import NotFound, ServiceError
from daebus.export.described import describe


class Query(msgspec.Struct):
    id: int


class Narrower(msgspec.Struct):
    id: int
    page: int


class Since(msgspec.Struct):
    after: str | None = None


class Entry(msgspec.Struct):
    id: str
    text: str


class SoldOut(ServiceError):
    code = "sold_out"
    status = 409


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
ROOM = Room[str]("room:{number}", history=50)
RENAMED = Room[str]("room:{name}", history=50)
SHORTER = Room[str]("room:{number}", history=5, keep=timedelta(seconds=30), history_bytes=1000, latest=True)


def a_message(b: Shop) -> None:
    @b.socket("say")
    async def say(data: Query, *, clients: Clients) -> str:
        await clients.broadcast(NOTICE, "x")
        return ""


def a_room(b: Shop) -> None:
    @b.socket_join(ROOM)
    async def join(number: str) -> str:
        raise NotImplementedError


def a_renamed_room(b: Shop) -> None:
    @b.socket_join(RENAMED)
    async def join(name: str) -> str:
        raise NotImplementedError


def a_room_that_keeps_less(b: Shop) -> None:
    @b.socket_join(SHORTER)
    async def join(number: str) -> str:
        raise NotImplementedError


def a_tool(b: Shop) -> None:
    @b.action("find", tool=True)
    async def find(query: Query) -> str:
        raise NotImplementedError


def a_route_with_errors(b: Shop) -> None:
    @b.route("/things/<number>", raises=[NotFound, SoldOut])
    async def show(number: int, page: int = 0) -> str:
        raise NotImplementedError


def two_parameters(b: Shop) -> None:
    @b.route("/<one>/<other>")
    async def show(one: str, other: str) -> None: ...


def two_parameters_in_another_order(b: Shop) -> None:
    @b.route("/<other>/<one>")
    async def show(one: str, other: str) -> None: ...


def a_file(b: Shop) -> None:
    @b.route("/files/<file>")
    async def show(file: Path) -> None: ...


def a_renamed_file(b: Shop) -> None:
    @b.route("/files/<path>")
    async def show(path: Path) -> None: ...


async def watch(since: Since) -> AsyncIterator[Entry]:
    yield Entry(since.after or "", "")


def events(b: Shop) -> None:
    b.action("watch", sse="GET /watch")(watch)


def events_with_ids(b: Shop) -> None:
    b.action("watch", sse="GET /watch", event_id="id")(watch)


def events_that_resume(b: Shop) -> None:
    b.action("watch", sse="GET /watch", event_id="id", resume="after")(watch)


def events_with_other_ids(b: Shop) -> None:
    b.action("watch", sse="GET /watch", event_id="text", resume="after")(watch)


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
    (a_tool, an_action, "action find", "it is no longer open to assistants"),
    (events_that_resume, events_with_ids, "route GET /watch", "it no longer resumes"),
    (events_that_resume, events, "route GET /watch", "it no longer resumes"),
    (events_with_ids, events, "route GET /watch", "its events have no id now"),
    (events_that_resume, events_with_other_ids, "route GET /watch", "the id of its events is text now"),
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
    (an_action, a_tool, "action find: it is open to assistants now"),
    (events, events_with_ids, "route GET /watch: its events have an id now"),
    (events_with_ids, events_that_resume, "route GET /watch: it resumes now"),
    (a_route, a_route_with_errors, "route GET /things/<>: SoldOut is in raises= now"),
    (
        a_route_with_errors,
        a_route,
        "route GET /things/<>: SoldOut is no longer in raises=: generated clients may lose its class",
    ),
    (
        a_route,
        a_route_with_another_name,
        "path parameter 1: its name was number, and is thing: only generated clients have it",
    ),
    (two_parameters, two_parameters_in_another_order, "path parameter 2: its name was other, and is one"),
    (a_file, a_renamed_file, "route GET /files/<>, path parameter 1: its name was file, and is path"),
    (a_room, a_renamed_room, "room room:{name}, parameter 1: its name was number, and is name"),
    (a_room, a_room_that_keeps_less, "room room:{number}: history was 50, and is 5"),
    (a_room, a_room_that_keeps_less, "room room:{number}: keep was 0:05:00, and is 0:00:30"),
    (a_room, a_room_that_keeps_less, "history_bytes was 4194304, and is 1000"),
    (a_room, a_room_that_keeps_less, "latest was False, and is True"),
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
    "fill",
    [
        *(an_action, a_streaming_action, a_guarded_action, a_tool, a_route, a_route_with_errors, events_that_resume),
        *(a_listener, a_message, a_room),
    ],
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
