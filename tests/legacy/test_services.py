"""Services of daebus 0.0.31, played by a plain Redis client that answers with what was recorded from them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from tests.legacy import frames
from tests.support import raw_redis, until

from daebus import Action, BlockingBus, Bus, Channel, Context, Daebus, Settings, StreamAction
from daebus.core.context import current_context
from daebus.errors import ConfigurationError, NoSuchService, NotFound, ServiceError, Timeout
from daebus.testing import private_redis_url, running


class UserId(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str


class Step(msgspec.Struct):
    done: int


class UserCreated(msgspec.Struct, tag="user_created"):
    user_id: str


GET_USER = Action[UserId, User]("get_user", service="users")
PING = Action[None, Any]("ping", service="users")
GREET = Action[str, Any]("greet", service="users")
IMPORT = StreamAction[UserId, Step]("import_users", service="users")


class OldService:
    """Answers each request with the frames that it has for its action, as often as there are replicas."""

    def __init__(self, redis: Any, replies: dict[str, list[str]], *, replicas: int) -> None:
        self._redis = redis
        self.replies = replies
        self._replicas = replicas
        self.heard: list[dict[str, object]] = []

    async def serve(self, ready: asyncio.Event) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("users")
            await pubsub.get_message(timeout=1)
            ready.set()
            async for message in pubsub.listen():
                await self._answer(msgspec.json.decode(message["data"], type=dict[str, object]))

    async def _answer(self, request: dict[str, object]) -> None:
        self.heard.append(request)
        for reply in self.replies.get(str(request["action"]), []) * self._replicas:
            body = json.loads(reply) | {"request_id": request["request_id"]}
            await self._redis.publish(request["reply_to"], json.dumps(body))


@pytest.fixture
async def old(daebus_redis_url: str) -> AsyncGenerator[OldService]:
    replies = {
        "get_user": [frames.SUCCESS],
        "import_users": [frames.PROGRESS, frames.FINAL],
        "forget_user": [frames.ERROR],
    }
    async with raw_redis(daebus_redis_url) as redis:
        service, ready = OldService(redis, replies, replicas=2), asyncio.Event()
        task = asyncio.create_task(service.serve(ready))
        await ready.wait()
        yield service
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def bus(old: OldService) -> AsyncGenerator[Bus]:
    assert old.heard == []
    async with Bus(private_redis_url(), legacy=True) as bus:
        yield bus


async def test_a_call_is_the_request_of_the_old_caller_and_its_reply_is_decoded(bus: Bus, old: OldService) -> None:
    for _ in range(3):
        assert await bus.call(GET_USER, UserId("u1")) == User("u1", "Ada")
    request, recorded = old.heard[0], json.loads(frames.REQUEST)
    assert request == recorded | {name: request[name] for name in ("reply_to", "request_id")}


async def test_a_call_from_a_handler(bus: Bus, old: OldService) -> None:
    app = Daebus("shop", settings=Settings(legacy=True))

    @app.action("owner")
    async def owner(*, bus: Bus) -> User:
        return await bus.call(GET_USER, UserId("u1"))

    async with running(app) as service:
        assert await service.call(owner, timeout=2) == User("u1", "Ada")
    assert "deadline" not in old.heard[0]


async def test_its_errors_are_service_errors_with_the_class_of_their_code(bus: Bus) -> None:
    with pytest.raises(ServiceError, match="User u9 not found") as caught:
        await bus.call(Action[UserId, User]("forget_user", service="users"), UserId("u9"))
    assert (type(caught.value), caught.value.code) == (ServiceError, "error")


async def test_a_code_is_understood(bus: Bus, old: OldService) -> None:
    coded = {"error": "gone", "code": "not_found", "details": {"id": "u9"}}
    old.replies["get_user"] = [json.dumps(json.loads(frames.ERROR) | {"payload": coded})]
    with pytest.raises(NotFound, match="gone") as caught:
        await bus.call(GET_USER, UserId("u9"))
    assert caught.value.details == {"id": "u9"}


async def test_its_progress_is_a_stream_whose_last_item_is_the_final_reply(bus: Bus) -> None:
    assert [step async for step in bus.stream(IMPORT, UserId("u1"))] == [Step(1), Step(2)]


async def test_a_call_passes_over_its_progress(bus: Bus) -> None:
    assert await bus.call(Action[UserId, Step]("import_users", service="users"), UserId("u1")) == Step(2)


async def test_what_it_leaves_unanswered_is_a_timeout(bus: Bus) -> None:
    with pytest.raises(Timeout, match=r"^users\.ping did not answer within 0\.2 s$"):
        await bus.call(PING, timeout=0.2)
    with pytest.raises(Timeout, match=r"^users\.silent did not end within 0\.2 s$"):
        async for _ in bus.stream(StreamAction[None, Step]("silent", service="users"), timeout=0.2):
            pass


async def test_nothing_is_waited_for_longer_than_by_the_handler_that_asks(bus: Bus) -> None:
    deadline = time.monotonic() + 0.2
    token = current_context.set(Context(request_id="r1", service="shop", handler="action buy", deadline=deadline))
    try:
        with pytest.raises(Timeout, match=r"^users\.ping did not answer before the deadline of the calling handler$"):
            await bus.call(PING, timeout=5)
        with pytest.raises(Timeout, match=r"^users\.silent did not .* before the deadline of the calling handler$"):
            async for _ in bus.stream(StreamAction[None, Step]("silent", service="users")):
                pass
    finally:
        current_context.reset(token)


async def test_no_payload_and_text_reach_its_handlers_whole(bus: Bus, old: OldService) -> None:
    await bus.send(PING)
    await bus.send(GREET, "Ada")
    await until(lambda: len(old.heard) == 2)
    # It decodes text once more before a handler sees it.
    assert old.heard == [
        {"action": "ping", "payload": {}, "service": "users"},
        {"action": "greet", "payload": '"Ada"', "service": "users"},
    ]


async def test_a_send_is_queued_where_nobody_hears_it(daebus_redis_url: str) -> None:
    async with Bus(daebus_redis_url, legacy=True) as bus, raw_redis(daebus_redis_url) as redis:
        await bus.send(PING)
        assert await redis.xlen("daebus:{users}:action:ping") == 1


async def test_a_service_of_ours_is_never_spoken_to_in_the_old_way(bus: Bus, old: OldService) -> None:
    app = Daebus("users")

    @app.action(GET_USER)
    async def get_user(query: UserId) -> User:
        return User(query.id, "new")

    assert await bus.call(GET_USER, UserId("u1")) == User("u1", "Ada")
    async with running(app):
        assert await bus.call(GET_USER, UserId("u1")) == User("u1", "new")
        await bus.send(GET_USER, UserId("u1"))
    assert len(old.heard) == 1


@pytest.mark.parametrize(("asked", "variable"), [(None, None), (None, "0"), (False, "1")])
async def test_they_are_not_spoken_to_unless_asked_for(
    old: OldService, monkeypatch: pytest.MonkeyPatch, asked: bool | None, variable: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("DAEBUS_LEGACY", variable)
    async with Bus(private_redis_url(), legacy=asked) as bus, raw_redis(private_redis_url()) as redis:
        with pytest.raises(
            NoSuchService, match=r"if that is a service of daebus 0\.0\.31, .* legacy=True or DAEBUS_LEG"
        ):
            await bus.call(GET_USER, UserId("u1"))
        await bus.send(PING)
        assert await redis.xlen("daebus:{users}:action:ping") == 1
    assert old.heard == []


async def test_the_environment_asks_for_them(old: OldService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEBUS_LEGACY", "1")
    async with Bus(private_redis_url()) as bus:
        assert await bus.call(GET_USER, UserId("u1")) == User("u1", "Ada")
    with BlockingBus(private_redis_url(), legacy=False) as blocking, pytest.raises(NoSuchService):
        await asyncio.to_thread(blocking.call, GET_USER, UserId("u1"))
    assert len(old.heard) == 1
    monkeypatch.setenv("DAEBUS_LEGACY", "yes")
    with pytest.raises(ConfigurationError, match=r"DAEBUS_LEGACY is 'yes': 1 enables the protocol of daebus 0\.0\.31"):
        async with Bus(private_redis_url()):
            pass


async def test_one_that_was_ever_one_of_ours_is_not_spoken_to_in_the_old_way(bus: Bus, old: OldService) -> None:
    app = Daebus("users")

    @app.action(GET_USER)
    async def get_user(query: UserId) -> User:
        return User(query.id, "new")

    async with running(app):
        pass
    async with raw_redis(private_redis_url()) as redis:
        for member, score in await redis.zrange("daebus:{users}:serving", 0, -1, withscores=True):
            await redis.zadd("daebus:{users}:serving", {member: score - 6 * 86_400_000})
        async with Bus(private_redis_url(), legacy=True) as another:
            with pytest.raises(NoSuchService):
                await another.call(GET_USER, UserId("u1"))
            await another.send(GET_USER, UserId("u1"))
        assert await redis.xlen("daebus:{users}:action:get_user") == 1
        assert old.heard == []
        await redis.delete("daebus:{users}:serving")  # what docs/migration.md says for the way back
    async with Bus(private_redis_url(), legacy=True) as another:
        assert await another.call(GET_USER, UserId("u1")) == User("u1", "Ada")


async def test_an_idempotency_key_is_refused_and_not_dropped(bus: Bus, old: OldService) -> None:
    for ask in (bus.call, bus.send):
        with pytest.raises(
            ConfigurationError, match=r"users\.get_user has an idempotency key, and 'users' runs daebus"
        ):
            await ask(GET_USER, UserId("u1"), idempotency_key="k")
    assert old.heard == []


async def test_nobody_there_is_no_such_service(daebus_redis_url: str) -> None:
    async with (
        Bus(daebus_redis_url, legacy=True) as bus,
        raw_redis(daebus_redis_url) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as pubsub,
    ):
        await pubsub.psubscribe("*")  # somebody who watches everything serves nothing
        await pubsub.get_message(timeout=1)
        with pytest.raises(NoSuchService):
            await bus.call(GET_USER, UserId("u1"))


async def test_its_events_reach_our_listeners_and_ours_are_what_it_publishes(daebus_redis_url: str) -> None:
    heard: list[str] = []
    app = Daebus("shop")

    @app.listen(Channel[UserCreated]("user_events"))
    async def tagged(event: UserCreated) -> None:
        heard.append(event.user_id)

    class Bare(msgspec.Struct):
        user_id: str

    @app.listen(Channel[Bare]("user_events"))
    async def bare(event: Bare) -> None:
        heard.append(f"bare {event.user_id}")

    @app.listen("user_events")
    async def untyped(event: dict[str, object]) -> None:
        heard.append(f"untyped {event['user_id']}")

    async with running(app) as service, raw_redis(daebus_redis_url) as redis:
        for event in (frames.EVENT, '{"user_id": "u3"}'):  # with the tag, and without
            await redis.publish("user_events", event)
        await until(lambda: len(heard) == 6)
        async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("user_events")
            await pubsub.get_message(timeout=1)
            await service.publish(Channel[UserCreated]("user_events"), UserCreated("u2"))
            message = await pubsub.get_message(timeout=5)
    assert json.loads(message["data"]) == json.loads(frames.EVENT)
    assert sorted(heard[:6]) == ["bare u2", "bare u3", "u2", "u3", "untyped u2", "untyped u3"]


async def test_an_old_service_is_never_sent_headers(bus: Bus, old: OldService) -> None:
    assert await bus.call(GET_USER, UserId("u1"), headers={"x-tenant": "acme"})
    await bus.send(PING, headers={"x-tenant": "acme"})
    await until(lambda: len(old.heard) == 2)
    assert [set(request) & {"headers", "trace_id"} for request in old.heard] == [set(), set()]
