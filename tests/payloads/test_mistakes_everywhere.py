"""A request with three mistakes is told of three, in one form on every transport."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import attrs
import msgspec
import pydantic
import pytest
from litestar.params import CookieParameter, HeaderParameter
from tests.http.web import problem_of, serving
from tests.support import raw_redis, until
from websockets.exceptions import InvalidStatus

from daebus import Action, Blueprint, Channel, Client, Context, Daebus, DaebusHttp, DaebusWebSocket, Logger
from daebus.declare.recorder import Recorder
from daebus.errors import BadRequest
from daebus.testing import running


class Line(msgspec.Struct):
    article: str
    price: Annotated[int, msgspec.Meta(ge=0)]


class Order(msgspec.Struct, tag=True):
    customer: str
    lines: list[Line]


class Search(msgspec.Struct):
    text: str
    page: int = 1


WRONG = {"customer": 1, "lines": [{"article": "a", "price": 1}, {"price": -1}]}
FOUND = [
    ("$.customer", "Expected `str`, got `int`"),
    ("$.lines[1].article", "Missing, expected `str`"),
    ("$.lines[1].price", "Expected `int` >= 0"),
]
SENTENCE = "Invalid value at `$.customer`: expected `str`, got `int`, and 2 more mistakes"


def errors(details: Any, place: str) -> list[tuple[str, str]]:
    assert {error["in"] for error in details["errors"]} == {place}
    return [(error["path"], error["problem"]) for error in details["errors"]]


@pytest.fixture
def orders() -> Recorder:
    return Recorder("orders")


async def test_an_http_body(orders: Recorder) -> None:
    @orders.route("/x", methods=["POST"])
    async def save(data: Order) -> None: ...

    async with serving(orders) as client:
        problem = problem_of(await client.post("/x", json=WRONG), 400)
    assert errors(problem["details"], "body") == FOUND
    assert problem["detail"].endswith("in the body: expected `str`, got `int`, and 2 more mistakes")


async def test_a_body_of_pydantic_and_one_of_attrs(orders: Recorder) -> None:
    class Goods(pydantic.BaseModel):
        article: str
        price: Annotated[int, pydantic.Field(ge=0)]

    class Basket(pydantic.BaseModel):
        customer: str
        lines: list[Goods]

    @attrs.define
    class Parcel:
        weight: int
        lines: list[Line]

    # Their annotations are names of this function.
    async def save(data: Any) -> None: ...
    async def send(data: Any) -> None: ...

    save.__annotations__["data"], send.__annotations__["data"] = Basket, Parcel
    orders.route("/baskets", methods=["POST"])(save)
    orders.route("/parcels", methods=["POST"])(send)
    async with serving(orders) as client:
        problem = problem_of(await client.post("/baskets", json=WRONG), 400)
        assert [path for path, _ in errors(problem["details"], "body")] == [path for path, _ in FOUND]
        assert problem["detail"].startswith("Invalid value at `$.customer` in the body: ")
        assert problem["detail"].endswith(", and 2 more mistakes")
        problem = problem_of(await client.post("/parcels", json=WRONG), 400)
        assert errors(problem["details"], "body") == [("$.weight", "Missing, expected `int`"), *FOUND[1:]]


async def test_parameters_of_every_kind_and_the_body(orders: Recorder) -> None:
    @orders.route("/x/<number>", methods=["POST"])
    async def save(
        number: int,
        data: Order,
        page: Annotated[int, msgspec.Meta(ge=1)],
        word: str,
        agent: Annotated[int, HeaderParameter(name="X-Agent")],
        session: Annotated[str, CookieParameter(name="session")],
        tags: list[int] | None = None,
    ) -> None: ...

    async with serving(orders) as client:
        response = await client.post("/x/a?page=0&tags=1&tags=b", json=WRONG, headers={"x-agent": "b"})
        problem = problem_of(response, 400)
    assert [(error["in"], error["path"]) for error in problem["details"]["errors"]] == [
        ("path", "number"),
        *(("body", path) for path, _ in FOUND),
        ("query", "page"),
        ("query", "word"),
        ("header", "X-Agent"),
        ("cookie", "session"),
        ("query", "tags[1]"),
    ]
    assert problem["detail"] == "Invalid path parameter `number`: expected `int`, got `str`, and 8 more mistakes"


async def test_all_headers_as_one_struct(orders: Recorder) -> None:
    class Headers(msgspec.Struct, rename="kebab"):
        x_size: int
        x_name: str

    async def show(headers: Any) -> None: ...

    show.__annotations__["headers"] = Headers
    orders.route("/x")(show)
    async with serving(orders) as client:
        problem = problem_of(await client.get("/x", headers={"x-size": "a"}), 400)
    assert errors(problem["details"], "header") == [
        ("x-size", "Expected `int`, got `str`"),
        ("x-name", "Missing, expected `str`"),
    ]


async def test_a_mistake_does_not_hide_that_the_body_is_not_json(orders: Recorder) -> None:
    @orders.route("/x", methods=["POST"])
    async def save(data: Order, agent: Annotated[int, HeaderParameter(name="X-Agent")]) -> None: ...

    async with serving(orders) as client:
        problem = problem_of(await client.post("/x", content=b"{", headers={"content-type": "application/json"}), 400)
    assert [error["in"] for error in problem["details"]["errors"]] == ["body", "header"]


async def test_a_mebibyte_of_mistakes_does_not_hold_up_others(orders: Recorder) -> None:
    @orders.route("/x", methods=["POST"])
    async def save(data: list[Line]) -> None: ...

    body = b"[" + b"{}," * 349_000 + b"{}]"

    async with serving(orders) as client:

        async def seconds(sent: bytes) -> float:
            begin = time.process_time()
            response = await client.post("/x", content=sent, headers={"content-type": "application/json"})
            assert response.status_code == 400
            assert len(response.content) < 10_000
            return time.process_time() - begin

        # As many bytes that are refused at the first one, as no list stands there.
        plain = min([await seconds(b'"' + b"a" * (len(body) - 2) + b'"') for _ in range(3)])
        parsed = min([_seconds_of_json(body) for _ in range(3)])
        assert min([await seconds(body) for _ in range(3)]) < plain + 10 * parsed


def _seconds_of_json(body: bytes) -> float:
    begin = time.process_time()
    json.loads(body)
    return time.process_time() - begin


PLACE = Action[Order, None]("place", service="all_mistakes")
ANYTHING = Action[Any, None]("place", service="all_mistakes")
PLACED = Channel[Order]("all_mistakes_placed", durable=True)
ANY_PLACED = Channel[Any]("all_mistakes_placed", durable=True)


def app() -> Daebus:
    orders = Blueprint("orders")

    @orders.action(PLACE)
    async def place(order: Order) -> None: ...

    @orders.listen(PLACED)
    async def on_placed(event: Order) -> None: ...

    @orders.socket_connect()
    async def on_connect(params: Search, client: Client) -> None: ...

    @orders.socket("place")
    async def ws_place(order: Order, context: Context, *, logger: Logger) -> None: ...

    service = Daebus("all_mistakes")
    service.attach(DaebusHttp(port=0))
    service.attach(DaebusWebSocket())
    service.register_blueprint(orders)
    return service


async def test_an_action_on_the_bus(daebus_redis_url: str) -> None:
    async with running(app()) as service:
        with pytest.raises(BadRequest) as caught:
            await service.call(ANYTHING, WRONG)
    assert errors(caught.value.details, "payload") == FOUND
    assert caught.value.message == SENTENCE


async def test_a_message_and_the_connection_of_a_websocket(daebus_redis_url: str) -> None:
    async with running(app()) as service:
        async with service.socket(text="a") as client:
            answer = await client.ask("place", WRONG | {"type": "Order"})
        with pytest.raises(InvalidStatus) as refused:
            async with service.socket(page="x"):
                pass
    error = json.loads(bytes(answer.data))
    assert errors(error["details"], "payload") == FOUND
    assert error["error"] == SENTENCE
    problem = json.loads(refused.value.response.body)
    assert problem["detail"] == "The query parameter `text` is missing, expected `str`, and 1 more mistake"
    assert [path for path, _ in errors(problem["details"], "query")] == ["text", "page"]


async def test_an_event_is_a_dead_letter_with_all_its_mistakes(daebus_redis_url: str) -> None:
    async with running(app()) as service, raw_redis(daebus_redis_url) as redis:
        await service.publish(ANY_PLACED, WRONG | {"type": "Order"})
        await until(lambda: redis.xlen("daebus:{all_mistakes}:dead"))
        ((_, letter),) = await redis.xrange("daebus:{all_mistakes}:dead")
    assert SENTENCE in letter[b"error"].decode()
    assert errors(json.loads(letter[b"details"]), "payload") == FOUND
