"""Every example of docs/protocol.md, replayed by a client that knows nothing of daebus."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel, Context, Daebus, DaebusHttp, DaebusWebSocket
from daebus.core.signing import digest
from daebus.errors import NotFound, Unavailable
from daebus.identity.forwarding import Claims
from daebus.telemetry.statistics import BOUNDS
from daebus.testing import private_redis_url, running
from daebus.websocket.authentication import AUTHENTICATE, Login

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text()


def examples(kind: str) -> list[dict[str, object]]:
    """The JSON blocks of the page that are marked with a word."""
    found = re.findall(rf"```json {kind}\n(.*?)\n```", PAGE, re.DOTALL)
    assert found, f"no example of {kind}"
    return [msgspec.json.decode(text, type=dict[str, object]) for text in found]


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    email: str
    name: str


class UserCreated(msgspec.Struct, tag="user_created"):
    user_id: str


class Page(msgspec.Struct):
    page: int


EVENTS = Channel[UserCreated]("user_events")
ORDERS = Channel[UserCreated]("orders", durable=True)


def users(heard: list[str], *, known: bool = True) -> Daebus:  # noqa: C901
    app = Daebus("users")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @app.action("get_user")
    async def get_user(query: GetUser) -> User:
        if not known:
            raise NotFound(f"User {query.id} not found", details={"id": query.id})
        return User(query.id, "ada@example.com", "Ada")

    @app.action("create_user")
    async def create_user(user: User) -> None: ...

    @app.action("count")
    async def count() -> AsyncIterator[int]:
        yield 1
        yield 2

    @app.action("count_on")
    async def count_on() -> AsyncIterator[int]:
        try:
            for number in range(1_000):
                yield number
        finally:
            heard.append("cancelled")

    @app.listen(EVENTS)
    async def on_event(event: UserCreated) -> None:
        heard.append(event.user_id)

    @app.listen(ORDERS)
    async def on_order(event: UserCreated) -> None:
        heard.append(f"durable {event.user_id}")

    @app.socket("get_users")
    async def get_users(data: Page) -> list[int]:
        return [data.page]

    @app.route("/users/<user_id>")
    async def http_user(user_id: str) -> User:
        raise NotFound(f"User {user_id} not found", details={"id": user_id})

    return app


async def ask(redis: Any, request: dict[str, object], replies: int = 1) -> list[dict[str, object]]:
    """Append a request to the stream of its action, and wait for the replies."""
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(str(request["reply_to"]))
        stream = f"daebus:{{{request['service']}}}:action:{request['action']}"
        await redis.xadd(stream, {"request": msgspec.json.encode(request)})
        found: list[dict[str, object]] = []
        async with asyncio.timeout(5):
            while len(found) < replies:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                if message is not None:
                    found.append(msgspec.json.decode(message["data"], type=dict[str, object]))
    return found


def live(request: dict[str, object]) -> dict[str, object]:
    """An example request whose deadline has not passed."""
    return request | {"deadline": None}


async def test_a_request_gets_the_reply_of_the_page() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        assert await ask(redis, live(examples("request")[0])) == examples("reply")


async def test_a_request_gets_the_error_of_the_page() -> None:
    async with running(users([], known=False)), raw_redis(private_redis_url()) as redis:
        assert await ask(redis, live(examples("request")[0])) == examples("error")


async def test_an_invalid_request_gets_the_error_of_the_page() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        wrong = {"action": "create_user", "payload": {"id": 3, "email": "ada@example.com"}}
        assert await ask(redis, live(examples("request")[0]) | wrong) == examples("invalid")


async def test_a_request_after_its_deadline_is_dropped() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        late = examples("request")[0] | {"deadline": 1, "request_id": "late"}
        await redis.xadd("daebus:{users}:action:get_user", {"request": msgspec.json.encode(late)})
        (reply,) = await ask(redis, live(examples("request")[0]))
        assert reply["request_id"] == "9f2c-1"
        assert await redis.xlen("daebus:{users}:action:get_user") == 0


async def test_a_stream_ends_with_a_final_null() -> None:
    request = live(examples("request")[0]) | {"action": "count", "payload": None}
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        replies = await ask(redis, request, replies=3)
    assert [(reply["payload"], reply["final"]) for reply in replies] == [(1, False), (2, False), (None, True)]


async def test_a_stream_with_credit_waits_for_more_and_can_be_cancelled() -> None:
    request = live(examples("request")[0]) | {"action": "count_on", "payload": None, "credit": 2}
    items = list[object]()

    async def hear() -> None:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.01)
        if message is not None:
            items.append(msgspec.json.decode(message["data"], type=dict[str, object])["payload"])

    async def heard(number: int) -> bool:
        await hear()
        return items == list(range(number))

    heard_events = list[str]()
    async with running(users(heard_events)), raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe(str(request["reply_to"]))
        await redis.xadd("daebus:{users}:action:count_on", {"request": msgspec.json.encode(request)})
        await until(lambda: heard(2))
        await redis.publish("daebus:{users}:control", "9f2c-1 3")
        await until(lambda: heard(5))
        await redis.publish("daebus:{users}:control", "9f2c-1")
        await until(lambda: "cancelled" in heard_events)
        await hear()
    assert items == list(range(5))


OF_EVENTS = {b"channel", b"listener", b"event", b"trace_id", b"event_id", b"sender", b"headers"}
OF_EXCEPTIONS = {b"exception", b"reason", b"traceback"}
ABOUT = {"trace_id": "c0ffee-7", "event_id": "c0ffee-8", "sender": "script@host", "headers": '{"x-tenant":"acme"}'}


async def test_what_is_no_request_goes_to_the_dead_letters() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        entry = await redis.xadd("daebus:{users}:action:get_user", {"request": b"nonsense"})
        await until(lambda: redis.xlen("daebus:{users}:dead"))
        ((_, letter),) = await redis.xrange("daebus:{users}:dead")
    assert (letter[b"code"], letter[b"request"]) == (b"bad_request", b"nonsense")
    assert letter[b"sent"] == entry.partition(b"-")[0]
    assert set(letter) == fields_of_a_dead_letter() - OF_EVENTS - OF_EXCEPTIONS - {b"details", b"member"}


async def test_an_event_that_is_refused_goes_to_the_dead_letters() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        await redis.xadd("daebus:channel:{orders}", {"event": b"nonsense", **ABOUT})
        await until(lambda: redis.xlen("daebus:{users}:dead"))
        ((_, letter),) = await redis.xrange("daebus:{users}:dead")
    assert (letter[b"channel"], letter[b"listener"], letter[b"event"]) == (b"orders", b"users.on_order", b"nonsense")
    assert set(letter) == fields_of_a_dead_letter() - {b"action", b"request", b"member"}


def fields_of_a_dead_letter() -> set[bytes]:
    table = PAGE.partition("## Dead letters")[2].partition("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name.encode() for row in rows for name in re.findall(r"`(\w+)`", row)}


async def test_what_is_delayed_looks_as_the_page_says() -> None:
    app = Daebus("users")

    @app.action("get_user", backoff=3600)
    async def get_user(query: GetUser) -> User:
        raise Unavailable("not now")

    (example,) = re.findall(r"```json delayed\n(.*?)\n```", PAGE, re.DOTALL)
    expected = msgspec.json.decode(example, type=list[str])
    async with running(app), raw_redis(private_redis_url()) as redis:
        await redis.xadd("daebus:{users}:action:get_user", {"request": expected[3]}, id="1795348800000-0")
        await until(lambda: redis.zcard("daebus:{users}:retries"))
        (member,) = await redis.zrange("daebus:{users}:retries", 0, -1)
    found = msgspec.json.decode(member, type=list[str])
    assert abs(int(found[-1]) - time.time() * 1000) < 60_000
    assert found[:-1] == expected[:-1]


async def test_what_is_delayed_comes_back_when_it_is_due() -> None:
    (example,) = re.findall(r"```json delayed\n(.*?)\n```", PAGE, re.DOTALL)
    request = msgspec.json.encode(live(examples("request")[0])).decode()
    member = msgspec.json.decode(example, type=list[str])
    member[3] = request
    async with running(users([])), raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe("daebus:reply:9f2c")
        await pubsub.get_message(timeout=5)
        await redis.zadd("daebus:{users}:retries", {msgspec.json.encode(member): 1})
        message = await pubsub.get_message(timeout=5)
        assert msgspec.json.decode(message["data"], type=dict[str, object]) == examples("reply")[0]


async def test_requests_with_an_idempotency_key_get_the_same_reply() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        request = live(examples("request")[0]) | {"idempotency_key": "k7"}
        (first,) = await ask(redis, request)
        (second,) = await ask(redis, request | {"request_id": "9f2c-2"})
        assert second == first | {"request_id": "9f2c-2"}
        kept = await redis.hgetall("daebus:{users}:once:get_user:k7")
        assert set(kept) == {b"payload", b"status", b"reply", b"by"}
        assert msgspec.json.decode(kept[b"reply"]) == first["payload"]
        (third,) = await ask(redis, request | {"payload": {"id": "u2"}})
        assert (third["status"], third["payload"]["code"]) == ("error", "conflict")  # type: ignore[index]  # it is JSON


async def test_daebus_writes_requests_as_the_page_says() -> None:
    async with Bus(private_redis_url()) as bus, raw_redis(private_redis_url()) as redis:
        await bus.send(Action[GetUser, User]("get_user", service="users"), GetUser("u1"))
        ((_, entry),) = await redis.xrange("daebus:{users}:action:get_user")
    request = msgspec.json.decode(entry[b"request"], type=dict[str, object])
    assert set(request) - {"sender"} <= set(examples("request")[0])
    assert request["sender"] == f"script@{socket.gethostname()}"
    assert (request["action"], request["payload"], request["service"]) == ("get_user", {"id": "u1"}, "users")


async def test_a_bare_event_on_the_channel_is_heard_and_one_on_the_stream_too() -> None:
    heard: list[str] = []
    event = msgspec.json.encode(examples("event")[0])
    async with running(users(heard)), raw_redis(private_redis_url()) as redis:
        await redis.publish("user_events", event)
        await redis.xadd("daebus:channel:{orders}", {"event": event, "trace_id": "c0ffee-7"})
        await until(lambda: len(heard) == 2)
    assert sorted(heard) == ["durable u1", "u1"]


def mirror(heard: list[dict[str, str]]) -> Daebus:
    """Replies with the headers that it gets; notes those of events."""
    app = Daebus("users")

    @app.action("whoami")
    async def whoami(context: Context) -> dict[str, str]:
        return dict(context.headers)

    @app.listen(EVENTS)
    async def on_event(event: UserCreated, context: Context) -> None:
        heard.append({**context.headers, "id": context.request_id})

    @app.listen(ORDERS)
    async def on_order(event: UserCreated, context: Context) -> None:
        heard.append(dict(context.headers))

    return app


async def test_headers_of_the_page_are_read() -> None:
    heard: list[dict[str, str]] = []
    (request,), (ahead,) = examples("headers"), examples("event-headers")
    event = msgspec.json.encode({"type": "user_created", "user_id": "u1"})
    assert (ahead["crc"], ahead["size"]) == (zlib.crc32(event), len(event))
    async with running(mirror(heard)), raw_redis(private_redis_url()) as redis:
        (reply,) = await ask(redis, request)
        assert reply["payload"] == request["headers"]
        await redis.publish("daebus:headers:{user_events}", msgspec.json.encode(ahead))
        await redis.publish("user_events", event)
        await until(lambda: heard)
        headers = msgspec.json.encode(ahead["headers"])
        await redis.xadd("daebus:channel:{orders}", {"event": event, "headers": headers})
        await until(lambda: len(heard) == 2)
    assert heard == [{"x-tenant": "acme", "id": "c0ffee-7"}, {"x-tenant": "acme"}]


async def test_daebus_writes_headers_as_the_page_says() -> None:
    headers, event = {"x-tenant": "acme"}, UserCreated("u1")
    (ahead,) = examples("event-headers")
    async with Bus(private_redis_url()) as bus, raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
        await pubsub.subscribe("daebus:headers:{user_events}", "user_events")
        for _ in range(2):
            await pubsub.get_message(timeout=5)
        await bus.publish(EVENTS, event, headers=headers | {"x-request-id": "c0ffee-7"})
        first, second = [(await pubsub.get_message(timeout=5))["data"] for _ in range(2)]
        await bus.publish(ORDERS, event, headers=headers)
        ((_, entry),) = await redis.xrevrange("daebus:channel:{orders}", count=1)
        await bus.send(Action[GetUser, User]("whoami", service="nobody"), GetUser("u1"), headers=headers)
        ((_, request),) = await redis.xrange("daebus:{nobody}:action:whoami")
    told = msgspec.json.decode(first, type=dict[str, object])
    assert told == ahead | {"headers": headers | {"x-request-id": "c0ffee-7"}}
    assert second == msgspec.json.encode(event)
    assert msgspec.json.decode(entry[b"headers"]) == headers
    assert msgspec.json.decode(request[b"request"])["headers"] == headers


def test_the_claims_of_the_page_are_those_that_are_read() -> None:
    (claims,) = examples("user")
    read = msgspec.json.decode(msgspec.json.encode(claims), type=Claims)
    assert msgspec.json.decode(msgspec.json.encode(read)) == claims
    assert read.dig == digest(b'{"amount":3}')


async def test_the_registry_names_the_service_and_its_actions() -> None:
    async with running(users([])), raw_redis(private_redis_url()) as redis:
        found = set(await redis.zrange("daebus:{users}:serving", 0, -1))
        assert found == {b"", b":1", b'["count","count_on","create_user","get_user"]'}
        ((instance, _),) = await redis.zrange("daebus:{users}:servers", 0, -1, withscores=True)
        version = hashlib.sha256(b'["count","count_on","create_user","get_user"]').hexdigest()[:16]
        assert re.fullmatch(f"[0-9a-f]{{12}}-6000 {version}".encode(), instance)
    async with raw_redis(private_redis_url()) as redis:
        assert await redis.zrange("daebus:{users}:servers", 0, -1) == []
        assert set(await redis.zrange("daebus:{users}:serving", 0, -1)) == {b"", b":1", b":left"}


async def test_websocket_envelopes_are_those_of_the_page() -> None:
    question, misspelt, login = examples("envelope")
    assert login["type"] == AUTHENTICATE
    assert msgspec.convert(login["data"], Login) == Login("TOKEN")
    async with running(users([])) as service, service.socket() as socket:
        await socket.connection.send(msgspec.json.encode(question).decode())
        answer = msgspec.json.decode(await socket.connection.recv(), type=dict[str, object])
        assert answer == {"type": "response", "data": [1], "id": question["id"]}
        await socket.connection.send(msgspec.json.encode(question | {"type": "get_usres"}).decode())
        assert msgspec.json.decode(await socket.connection.recv(), type=dict[str, object]) == misspelt


async def test_http_errors_are_those_of_the_page() -> None:
    (example,) = examples("problem")
    async with running(users([])) as service:
        response = await service.http.get("/users/u1", headers={"X-Request-ID": "c0ffee-7"})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == example


async def test_instances_answer_questions_with_what_the_page_says() -> None:
    named = ("inquiry", "identity", "info", "stats", "health")
    (inquiry,), (identity,), (info,), (stats,), (health,) = map(examples, named)
    expected = {"ping": identity, "info": identity | info, "stats": identity | stats, "health": identity | health}
    async with running(users([])) as service, raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
        await service.call(Action[GetUser, User]("get_user", service="users"), GetUser("u1"))
        await pubsub.subscribe(inquiry["reply_to"])
        for channel in ("daebus:discovery", "daebus:{users}:discovery"):
            for asked, payload in expected.items():
                assert await redis.publish(channel, msgspec.json.encode(inquiry | {"ask": asked})) == 1
                message = None
                while message is None:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=5)
                reply: Any = msgspec.json.decode(message["data"])
                assert reply["status"] == "success"
                assert reply["request_id"] == inquiry["request_id"]
                assert reply["payload"].keys() == payload.keys()
                assert [one.keys() for one in reply["payload"].get("handlers", ())][:1] == [
                    one.keys() for one in cast("Any", payload).get("handlers", ())
                ]
                if asked == "health":
                    checks: Any = reply["payload"]["checks"]
                    assert [one | {"seconds": 0} for one in checks] == [
                        one | {"seconds": 0} for one in cast("Any", health)["checks"]
                    ]
                if asked == "stats":
                    only: Any = reply["payload"]["handlers"][0]
                    assert only["title"] == "action get_user"
                    assert only["durations"][0][0] in BOUNDS
        assert await redis.zrange("daebus:services", 0, -1) == [b"users"]
    assert {bound for bound, _ in cast("Any", stats)["handlers"][0]["durations"]} <= set(BOUNDS)
