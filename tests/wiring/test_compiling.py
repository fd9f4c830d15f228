# ruff: noqa: B008  # `use(...)` as a default
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from operator import methodcaller
from typing import Annotated, Any, cast

import msgspec
import pytest
from dependency_injector import containers, providers
from tests.support import Decorate, wired

from daebus.core.context import Context
from daebus.declare.contracts import Action, Channel, StreamAction
from daebus.delivery.dispatch import dispatch
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.workers import WorkerPool
from daebus.errors import BadRequest, WiringError, WiringProblem
from daebus.mistakes.places import show_path
from daebus.payloads.codec import UnknownTag
from daebus.websocket.clients import Client
from daebus.wiring.binding import use

Handler = Callable[..., object]


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str


class Admin(User):
    level: int = 0


class Created(msgspec.Struct, tag="created"):
    id: str


class Deleted(msgspec.Struct, tag="deleted"):
    id: str


class Repo:
    pass


class Opaque:
    pass


class Container(containers.DeclarativeContainer):
    repo = providers.Singleton(Repo)


GET_USER = Action[GetUser, User]("get_user")
EVENTS = Channel[Created | Deleted]("events")

GET_ALL = Action[None, User]("all")

ACTION = methodcaller("action", "test")
CONTRACT = methodcaller("action", GET_USER)
NO_PAYLOAD = methodcaller("action", GET_ALL)
STREAM = methodcaller("action", StreamAction[GetUser, User]("stream"))
LISTENER = methodcaller("listen", "events")
EVENT_LISTENER = methodcaller("listen", EVENTS)
SOCKET = methodcaller("socket", "test")
CONNECT = methodcaller("socket_connect")
TASK = methodcaller("background", "test", 1)
ROUTE = methodcaller("route", "/test", methods=["POST"])


A_CLIENT = Client.__new__(Client)  # only its type matters


def compiled(handler: Handler, decorate: Decorate) -> Endpoint[Any]:
    return wired(decorate, handler, Container(), WorkerPool(1))


def problems(handler: Handler, decorate: Decorate) -> list[WiringProblem]:
    with pytest.raises(WiringError) as caught:
        compiled(handler, decorate)
    place = f"{show_path(__file__)}:{handler.__code__.co_firstlineno}"
    assert {problem.where for problem in caught.value.problems} == {place}
    return list(caught.value.problems)


def refusal(handler: Handler, decorate: Decorate) -> WiringProblem:
    (problem,) = problems(handler, decorate)
    return problem


def incoming(body: bytes | None = None, part: object = None) -> Incoming:
    return Incoming(Context(request_id="r", service="s", handler="h"), body=body, part=part)


async def reply(handler: Handler, decorate: Decorate, body: bytes | None = None, part: object = None) -> object:
    return await dispatch(compiled(handler, decorate), incoming(body, part))


async def test_the_payload_is_decoded_and_the_reply_encoded() -> None:
    async def handler(query: GetUser) -> User:
        return User(query.id)

    assert await reply(handler, ACTION, b'{"id":"1"}') == b'{"id":"1"}'
    with pytest.raises(BadRequest, match=r"`\$.id`"):
        await reply(handler, ACTION, b'{"id":1}')


async def test_the_payload_the_context_and_the_part_are_told_apart_by_type_in_any_order() -> None:
    async def first(client: Client, data: GetUser, context: Context) -> list[str]:
        return [type(client).__name__, data.id, context.request_id]

    async def last(context: Context, client: Client, data: GetUser) -> list[str]:
        return [type(client).__name__, data.id, context.request_id]

    async def positional(context: Context, data: GetUser, client: Client, /) -> list[str]:
        return [type(client).__name__, data.id, context.request_id]

    for handler in (first, last, positional):
        assert await reply(handler, SOCKET, b'{"id":"1"}', A_CLIENT) == b'["Client","1","r"]'


async def test_what_a_handler_does_not_take_is_not_decoded() -> None:
    async def handler(client: Client) -> str:
        return type(client).__name__

    assert await reply(handler, SOCKET, b"{broken", A_CLIENT) == b'"Client"'


async def test_a_message_without_a_body_has_null_for_a_payload() -> None:
    async def handler(query: GetUser | None) -> bool:
        return query is None

    async def strict(query: GetUser) -> bool:
        return False

    assert await reply(handler, ACTION) == b"true"
    with pytest.raises(BadRequest, match="got `null`"):
        await reply(strict, ACTION)


async def test_services_and_the_message_come_together() -> None:
    async def handler(query: GetUser, *, repo: Repo) -> str:
        return f"{query.id} {type(repo).__name__}"

    assert await reply(handler, ACTION, b'{"id":"1"}') == b'"1 Repo"'


async def test_the_contract_says_what_is_decoded() -> None:
    async def wider(query: GetUser | Admin) -> Admin:
        assert type(query) is GetUser
        return Admin(query.id)

    async def anything(query: object) -> User:
        assert type(query) is GetUser
        return User("1")

    assert await reply(wider, CONTRACT, b'{"id":"1"}') == b'{"id":"1","level":0}'
    assert await reply(anything, CONTRACT, b'{"id":"1"}') == b'{"id":"1"}'


async def test_a_contract_without_payload_needs_none() -> None:
    async def nothing() -> User:
        return User("1")

    async def null(data: None) -> User:
        return User("2")

    async def context_alone(context: Context) -> User:
        return User(context.request_id)

    assert await reply(nothing, NO_PAYLOAD) == b'{"id":"1"}'
    assert await reply(null, NO_PAYLOAD) == b'{"id":"2"}'
    assert await reply(context_alone, NO_PAYLOAD) == b'{"id":"r"}'


async def test_a_contract_without_reply_returns_none() -> None:
    put = methodcaller("action", Action[GetUser, None]("put"))

    async def handler(query: GetUser) -> None: ...
    async def wrong(query: GetUser) -> User:
        return User(query.id)

    assert await reply(handler, put, b'{"id":"1"}') == b"null"
    assert refusal(wrong, put).found == "it returns User, but its contract says None"


async def test_a_listener_tells_an_unknown_event_from_a_wrong_one() -> None:
    heard: list[object] = []

    async def handler(event: Created | Deleted) -> None:
        heard.append(event)

    for decorate in (LISTENER, EVENT_LISTENER):
        await reply(handler, decorate, b'{"type":"deleted","id":"1"}')
        with pytest.raises(UnknownTag):
            await reply(handler, decorate, b'{"type":"renamed","id":"1"}')
        with pytest.raises(BadRequest) as caught:
            await reply(handler, decorate, b'{"type":"deleted","id":1}')
        assert not isinstance(caught.value, UnknownTag)
    assert heard == [Deleted("1")] * 2


async def test_a_lax_payload_is_read_from_text() -> None:
    class Params(msgspec.Struct):
        page: int
        tags: list[str] = []

    async def handler(params: object) -> None: ...

    handler.__annotations__["params"] = Params
    endpoint = compiled(handler, CONNECT)
    assert list(endpoint.take(incoming(b"page=3&tags=a"))) == [Params(3, ["a"])]


def test_a_free_left_side_is_left_to_the_transport() -> None:
    async def handler(user_id: str, data: Opaque, *, repo: Repo) -> Opaque:
        return Opaque()

    endpoint = compiled(handler, ROUTE)
    assert list(endpoint.take(incoming())) == []
    assert [parameter.name for parameter in endpoint.signature.left] == ["user_id", "data"]


def test_an_endpoint_has_the_title_of_its_handler() -> None:
    async def warm_up() -> None: ...

    assert compiled(warm_up, methodcaller("on_start")).title == "on_start warm_up"


async def test_the_encoder_is_made_for_the_signature() -> None:
    async def answer() -> User:
        return User("1")

    async def silence() -> None: ...

    assert await reply(answer, SOCKET) == b'{"id":"1"}'
    assert await reply(silence, SOCKET) is None


def test_a_second_payload_is_refused_with_both_ways_out() -> None:
    async def handler(query: GetUser, other: Opaque) -> User:
        return User(query.id)

    problem = refusal(handler, SOCKET)
    assert problem.subject == "handler(other: Opaque)"
    assert problem.found == "a socket handler takes one payload, and 'query' is already the payload"
    assert problem.remedy == (
        "put a bare * before 'other' if it is a service, or make one msgspec.Struct of both, or annotate it as Client"
    )


def test_a_payload_where_there_is_none_is_refused() -> None:
    async def handler(other: Opaque) -> None: ...

    problem = refusal(handler, TASK)
    assert problem.found == "a background task gets no such value from the message"
    remedy = "put a bare * before 'other' if it is a service, or annotate it as Run, or remove it"
    assert problem.remedy == remedy


def test_a_payload_that_cannot_be_decoded_is_refused_with_both_ways_out() -> None:
    async def handler(other: Opaque) -> None: ...
    async def nested(query: list[dict[str, Opaque]]) -> None: ...
    async def text(query: int) -> None: ...

    problem = refusal(handler, ACTION)
    assert problem.found == "it cannot be decoded from JSON: Opaque has no JSON form"
    assert problem.remedy.endswith("put a bare * before 'other' if it is a service")
    assert refusal(nested, LISTENER).found == "it cannot be decoded from JSON: Opaque has no JSON form"
    assert refusal(text, CONNECT).found.startswith("it cannot be decoded from a query string: ")


def test_a_payload_without_annotation_is_refused() -> None:
    async def handler(query) -> None:  # type: ignore[no-untyped-def]
        ...

    for decorate in (ACTION, CONTRACT, LISTENER):
        found = [problem.found for problem in problems(cast("Handler", handler), decorate)]
        assert found[0] == "it has no annotation, so nothing can be validated"


def test_a_listener_without_an_event_is_refused() -> None:
    async def handler() -> None: ...

    problem = refusal(handler, LISTENER)
    assert problem.found == "it does not take the event"
    assert problem.remedy == "add `event: Event` left of the *"
    known = methodcaller("listen", Channel[Created]("created"))
    assert refusal(handler, known).remedy == "add `event: Created` left of the *"


def test_a_handler_without_the_payload_of_its_contract_is_refused() -> None:
    async def handler(context: Context) -> User:
        return User("1")

    problem = refusal(handler, CONTRACT)
    assert problem.found == "it does not take the payload"
    assert problem.remedy == "add `payload: GetUser` left of the *"


def test_another_payload_than_the_contract_says_is_refused() -> None:
    async def handler(query: User) -> User:
        return query

    async def narrower(event: Created) -> None: ...

    async def surplus(query: GetUser) -> User:
        return User(query.id)

    assert refusal(surplus, NO_PAYLOAD).found == "the payload of the contract is None"
    problem = refusal(handler, CONTRACT)
    assert problem.found == "the payload of the contract is GetUser"
    assert problem.remedy == "annotate it as GetUser, or change the contract"
    assert "Created" in refusal(narrower, EVENT_LISTENER).found


def test_another_reply_than_the_contract_says_is_refused() -> None:
    async def handler(query: GetUser) -> GetUser:
        return query

    async def maybe(query: GetUser) -> User | None:
        return None

    assert refusal(handler, CONTRACT).found == "it returns GetUser, but its contract says User"
    assert "None, but its contract says User" in refusal(maybe, CONTRACT).found


def test_a_reply_that_fits_the_contract_with_room_to_spare_is_accepted() -> None:
    wide = methodcaller("action", Action[GetUser, User | int | None]("wide"))

    async def admin(query: GetUser) -> Admin:
        return Admin(query.id)

    async def maybe(query: GetUser) -> User | None:
        return None

    async def described(query: Annotated[GetUser, "why"]) -> Annotated[User, "why"]:
        return User(query.id)

    for handler in (admin, maybe, described):
        compiled(handler, wide)


def test_a_reply_without_annotation_is_refused_where_one_is_sent() -> None:
    async def handler(query: GetUser):  # type: ignore[no-untyped-def]
        ...

    assert refusal(cast("Handler", handler), ACTION).found == "the type that it returns is not annotated"
    compiled(cast("Handler", handler), LISTENER)


def test_a_reply_that_cannot_be_encoded_is_refused_where_one_is_sent() -> None:
    async def handler() -> list[dict[str, Opaque]]:
        return []

    problem = refusal(handler, ACTION)
    assert problem.found == "what it returns cannot be encoded as JSON: Opaque has no JSON form"
    assert refusal(handler, TASK).code == "unexpected-reply"


def test_an_async_generator_is_refused_where_one_value_is_wanted() -> None:
    async def handler() -> AsyncIterator[User]:
        yield User("1")

    problem = refusal(handler, NO_PAYLOAD)
    assert problem.found == "an action cannot be an async generator"
    assert problem.remedy == "return one value, or make it a StreamAction"
    assert compiled(handler, ACTION).signature.streams


def test_one_value_is_refused_where_an_async_generator_is_wanted() -> None:
    async def handler(query: GetUser) -> list[User]:
        return []

    assert refusal(handler, STREAM).found == "an action must be an async generator"


def test_the_items_of_a_stream_must_fit_and_be_encodable() -> None:
    async def other(query: GetUser) -> AsyncIterator[GetUser]:
        yield query

    async def opaque() -> AsyncIterator[Opaque]:
        yield Opaque()

    async def unknown() -> Any:
        yield 1

    assert refusal(other, STREAM).found == "it yields GetUser, but its contract says User"
    assert "Opaque has no JSON form" in refusal(opaque, ACTION).found
    assert refusal(unknown, ACTION).found == "it is an async generator, but it is not annotated as one"


def test_use_left_of_the_star_is_told_instead_of_what_follows_from_it() -> None:
    async def handler(repo: Repo = use(Container.repo)) -> User:
        return User("1")

    async def task(repo: Repo = use(Container.repo)) -> None: ...

    for decorate in (ACTION, CONTRACT, ROUTE):
        assert refusal(handler, decorate).remedy == "put a bare * before 'repo'"
    assert refusal(task, TASK).remedy == "put a bare * before 'repo'"


def test_all_mistakes_of_a_handler_are_told_at_once() -> None:
    async def handler(query: Opaque, other: User, *, rebo: Repo, repo: int) -> Opaque:
        return query

    assert [problem.subject for problem in problems(handler, ACTION)] == [
        "handler(query: Opaque)",
        "handler(other: User)",
        "handler",
        "handler(rebo: Repo)",
        "handler(repo: int)",
    ]


def test_a_signature_that_cannot_be_read_is_refused() -> None:
    async def handler(*queries: GetUser) -> None: ...

    assert refusal(handler, ACTION).found == "neither the message nor the container can fill it"
