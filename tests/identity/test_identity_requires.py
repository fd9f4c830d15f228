"""``requires=``: plain functions of the user and of the message decide who may do what."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from daebus import (
    Action,
    Blueprint,
    Channel,
    Client,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    ServiceContainer,
)
from daebus.checking.description import describe
from daebus.errors import Forbidden, Internal, Unauthorized, WiringError
from daebus.testing import running


class User(msgspec.Struct):
    id: str
    role: str = "member"


class Admin(msgspec.Struct):
    id: str


class Bid(msgspec.Struct):
    amount: int


async def find_user(credentials: Credentials) -> User | None:
    name, _, role = credentials.token.partition("/")
    return User(name, role or "member") if name else None


async def find_admin(_: Credentials) -> Admin | None:
    return None


class Container(ServiceContainer):
    user = Identity(find_user)


PLACE_BID = Action[Bid, str]("place_bid")
BIDS = Channel[Bid]("bids", durable=True)


def is_member(user: User) -> bool:
    if user.role == "broken":
        raise ValueError("the guard fails")
    return user.role in ("member", "admin")


def is_anybody(user: User | None) -> bool:
    return user is None or user.id != "banned"


def may_bid(user: User, bid: Bid) -> bool:
    return bid.amount < 100 or user.role == "admin"


def may_see(user: User, user_id: str) -> bool:
    return user.id == user_id


def may_bid_over_http(user: User, data: Bid) -> bool:
    return may_bid(user, data)


handled: list[str] = []


def auction() -> Daebus[Container]:
    bids = Blueprint("bids", services=Container, requires=is_member)

    @bids.action(PLACE_BID, requires=may_bid)
    async def place_bid(bid: Bid, *, user: User) -> str:
        handled.append(user.id)
        return f"{bid.amount} of {user.id}"

    @bids.action("in_thread", requires=[may_bid])
    def in_thread(bid: Bid) -> str:
        return f"{bid.amount}"

    @bids.route("/users/<user_id>", requires=may_see)
    async def see(user_id: str) -> str:
        return user_id

    @bids.route("/bids", methods=["POST"], requires=may_bid_over_http)
    async def bid_over_http(data: Bid) -> Bid:
        return data

    @bids.socket("bid", requires=may_bid)
    async def bid_on_socket(client: Client, bid: Bid) -> int:
        return bid.amount

    app = Daebus("auction", container=Container())
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    app.register_blueprint(bids)

    @app.action("look", requires=is_anybody)
    async def look(*, user: User | None) -> str:
        return "a stranger" if user is None else user.id

    @app.socket_connect(requires=is_anybody)
    async def connect() -> None: ...

    return app


LOOK = Action[None, str]("look")
IN_THREAD = Action[Bid, str]("in_thread")


def of(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_an_action_is_for_those_whom_each_guard_lets_pass() -> None:
    async with running(auction()) as service:
        assert await service.call(PLACE_BID, Bid(5), headers=of("ada")) == "5 of ada"
        assert await service.call(PLACE_BID, Bid(500), headers=of("bob/admin")) == "500 of bob"
        assert await service.call(IN_THREAD, Bid(5), headers=of("ada")) == "5"
        handled.clear()
        for action in (PLACE_BID, IN_THREAD):
            with pytest.raises(Forbidden) as caught:
                await service.call(action, Bid(500), headers=of("ada"))
            assert caught.value.details == {"requires": "may_bid"}
            with pytest.raises(Forbidden):
                await service.call(action, Bid(5), headers=of("eve/guest"))
            with pytest.raises(Unauthorized):
                await service.call(action, Bid(5))
            with pytest.raises(Internal):
                await service.call(action, Bid(5), headers=of("zoe/broken"))
        assert handled == []
        assert await service.call(LOOK) == "a stranger"
        with pytest.raises(Forbidden):
            await service.call(LOOK, headers=of("banned"))


async def test_a_route_passes_its_parameters_by_name() -> None:
    async with running(auction()) as service:
        assert (await service.http.get("/users/ada", headers=of("ada"))).status_code == 200
        assert (await service.http.get("/users/ada", headers=of("bob"))).json()["code"] == "forbidden"
        assert (await service.http.get("/users/ada")).status_code == 401
        for amount, status in ((5, 200), (500, 403)):
            answer = await service.http.post("/bids", json={"amount": amount}, headers=of("ada"))
            assert answer.status_code == status


async def test_a_socket_answers_with_an_error() -> None:
    async with running(auction()) as service, service.socket(headers=of("ada")) as socket:
        assert bytes((await socket.ask("bid", {"amount": 5})).data) == b"5"
        refused = await socket.ask("bid", {"amount": 500})
        assert refused.type == "error"
        assert b'"forbidden"' in bytes(refused.data)


def one(user: User, other: int) -> bool:
    return bool(user) and other > 0


def of_another_type(user: User, bid: int) -> bool:
    return bool(user) and bid > 0


def of_an_admin(user: Admin) -> bool:
    return bool(user)


def of_nobody() -> bool:
    return True


@pytest.mark.parametrize(
    ("guard", "found"),
    [
        (one, r"place_bid has 'other' as Bid|it takes 'other' as int, and place_bid has Bid"),
        (of_another_type, "it takes 'bid' as int, and place_bid has Bid"),
        (of_an_admin, "no Identity of Container gives Admin"),
        (of_nobody, "its first parameter must be the user"),
    ],
)
def test_a_guard_that_does_not_fit_is_refused_at_registration(guard: object, found: str) -> None:
    app = Daebus("auction", container=Container())

    async def place_bid(bid: Bid) -> str:
        return str(bid.amount)

    app.action(PLACE_BID, requires=guard)(place_bid)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]  # any object
    with pytest.raises(WiringError, match=found) as caught:
        app.check("auction")
    assert [problem.code for problem in caught.value.problems] == ["wrong-guard"]


async def waits(user: User) -> bool:
    return bool(user)


@pytest.mark.parametrize("guard", [waits, 3, User])
def test_what_is_no_plain_function_is_refused_at_once(guard: object) -> None:
    with pytest.raises(WiringError, match="requires="):
        Blueprint("bids", requires=guard)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_tasks_of_a_guarded_blueprint_have_no_user() -> None:
    bids = Blueprint("bids", services=Container, requires=is_member)

    @bids.background("clean", 60)
    async def clean() -> None: ...

    app = Daebus("auction", container=Container())
    app.register_blueprint(bids)
    app.check("auction")


async def test_the_documents_say_who_may_do_what() -> None:
    app = auction()

    @app.route("/open")
    async def open_to_all() -> None: ...

    @app.route("/visit")
    async def visit(*, user: User | None) -> None: ...

    async with running(app) as service:
        document = (await service.http.get("/schema/openapi.json")).json()
        refused = await service.http.get("/users/ada")
    operations = {path: methods["get"] for path, methods in document["paths"].items() if "get" in methods}
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert operations["/users/{user_id}"]["security"] == [{"bearer": []}]
    assert {"401", "403"} <= set(operations["/users/{user_id}"]["responses"])
    assert operations["/visit"]["security"] == [{}, {"bearer": []}]
    assert "401" not in operations["/visit"]["responses"]
    assert "security" not in operations["/open"]
    assert refused.headers["www-authenticate"] == "Bearer"


def test_the_wiring_names_the_guards() -> None:
    wiring = describe(auction().check("auction"))
    assert {handler.title: list(handler.requires) for handler in wiring.handlers}["action place_bid"] == [
        "is_member",
        "may_bid",
    ]


def test_a_guard_that_is_a_text_is_reported_whole() -> None:
    app = Daebus("auction", container=Container())
    text: Any = "agent"
    with pytest.raises(WiringError, match="requires='agent' is not a function"):
        app.action("close", requires=text)
