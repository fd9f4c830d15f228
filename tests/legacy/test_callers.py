"""Callers of daebus 0.0.31, played by a plain Redis client that sends what was recorded from them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.legacy import frames
from tests.legacy.new_service import app as new_service
from tests.support import raw_redis, until

from daebus import Daebus, Settings
from daebus.errors import NotFound
from daebus.legacy.callers import read_request
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

Message = dict[str, object]

REQUEST: Message = json.loads(frames.REQUEST)


class UserId(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str


class Step(msgspec.Struct):
    done: int


def users(ran: list[str], *, legacy: bool | None = True) -> Daebus:
    app = Daebus("users", settings=Settings(legacy=legacy, stop_timeout=0.5))

    @app.action("get_user")
    async def get_user(query: UserId) -> User:
        ran.append(query.id)
        if query.id == "u9":
            raise NotFound("User u9 not found", details={"id": "u9"})
        return User(query.id, "Ada")

    @app.action("import_users")
    async def import_users(data: dict[str, list[str]]) -> AsyncIterator[Step]:
        try:
            for done, name in enumerate(data["names"], start=1):
                yield Step(done)
                if name == "endless":
                    await asyncio.Event().wait()
                if name == "broken":
                    raise NotFound("no such user")
        finally:
            ran.append("ended")

    @app.action("greet")
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    @app.action("ping")
    async def ping() -> None:
        ran.append("ping")

    return app


class OldCaller:
    """A caller as 0.0.31 has it, but that its replies can be looked at one by one."""

    def __init__(self, redis: Any, pubsub: Any) -> None:
        self._redis = redis
        self._pubsub = pubsub

    async def publish(self, **changes: object) -> None:
        message = {name: value for name, value in (REQUEST | changes).items() if value is not None}
        await self._redis.publish("users", json.dumps(message))

    async def reply(self) -> Message:
        async with asyncio.timeout(5):
            while (message := await self._pubsub.get_message(timeout=5)) is None:
                pass
        return msgspec.json.decode(message["data"], type=Message)

    async def ask(self, **changes: object) -> Message:
        await self.publish(**changes)
        return await self.reply()

    async def hears_nothing(self) -> bool:
        return await self._pubsub.get_message(timeout=0.2) is None


@asynccontextmanager
async def old_caller(*channels: str) -> AsyncGenerator[OldCaller]:
    async with (
        raw_redis(private_redis_url()) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as pubsub,
    ):
        await pubsub.subscribe(REQUEST["reply_to"], *channels)
        await pubsub.get_message(timeout=1)
        yield OldCaller(redis, pubsub)


@pytest.fixture
def ran() -> list[str]:
    """What the handlers did."""
    return []


@pytest.fixture
async def caller(daebus_redis_url: str, ran: list[str]) -> AsyncGenerator[OldCaller]:
    assert daebus_redis_url == private_redis_url()
    async with running(users(ran)), old_caller() as caller:
        yield caller


class TestARequest:
    async def test_gets_what_the_old_service_would_reply(self, caller: OldCaller) -> None:
        assert await caller.ask() == json.loads(frames.SUCCESS)

    async def test_gets_an_error_with_the_old_key_and_more(self, caller: OldCaller) -> None:
        expected = json.loads(frames.ERROR)
        expected["payload"] |= {"code": "not_found", "details": {"id": "u9"}}
        assert await caller.ask(payload={"id": "u9"}) == expected

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"payload": {"id": 3}}, "bad_request"),
            ({"payload": [1]}, "bad_request"),
            ({"action": "get_usr"}, "no_such_action"),
        ],
    )
    async def test_that_cannot_be_handled_gets_an_error_at_once(
        self, caller: OldCaller, changes: Message, code: str
    ) -> None:
        reply = await caller.ask(**changes)
        assert reply["status"] == "error"
        assert msgspec.convert(reply["payload"], dict[str, object])["code"] == code

    async def test_gets_progress_and_then_the_last_item_once_more(self, caller: OldCaller) -> None:
        await caller.publish(action="import_users", payload={"names": ["a", "b"]})
        second = json.loads(frames.PROGRESS) | {"payload": {"done": 2}}
        assert [await caller.reply() for _ in range(3)] == [
            json.loads(frames.PROGRESS),
            second,
            json.loads(frames.FINAL),
        ]

    async def test_gets_the_error_of_a_stream(self, caller: OldCaller) -> None:
        await caller.publish(action="import_users", payload={"names": ["broken"]})
        assert [(reply["status"], reply["final"]) for reply in (await caller.reply(), await caller.reply())] == [
            ("success", False),
            ("error", True),
        ]

    async def test_that_nobody_waits_for_any_more_ends_its_stream(self, caller: OldCaller, ran: list[str]) -> None:
        await caller.publish(action="import_users", reply_to="caller:gone", payload={"names": ["a", "endless"]})
        await until(lambda: ran == ["ended"])

    async def test_may_carry_its_payload_as_text_or_as_its_own_fields(self, caller: OldCaller) -> None:
        assert await caller.ask(payload='{"id": "u1"}') == json.loads(frames.SUCCESS)
        assert await caller.ask(request_id="2", payload=None, id="u1") == json.loads(frames.SUCCESS) | {
            "request_id": "2"
        }
        assert (await caller.ask(action="greet", request_id="3", payload="Ada"))["payload"] == "Hello, Ada!"
        assert (await caller.ask(action="ping", request_id="4", payload={}))["payload"] is None

    async def test_without_a_channel_for_the_reply_gets_it_where_the_old_service_put_it(self, ran: list[str]) -> None:
        async with running(users(ran)), old_caller("users.responses") as caller:
            assert await caller.ask(reply_to=None) == json.loads(frames.SUCCESS)

    async def test_that_uses_an_id_again_is_told_so(self, caller: OldCaller, ran: list[str]) -> None:
        await caller.ask()
        again = await caller.ask()
        assert "was used before" in str(again["payload"])
        assert ran == ["u1"]

    async def test_leaves_nothing_behind_but_its_claim(self, caller: OldCaller) -> None:
        await caller.ask()
        async with raw_redis(private_redis_url()) as redis:
            await until(lambda: _is_empty(redis, "daebus:{users}:action:get_user"))
            (claim,) = await redis.keys("daebus:{users}:old:*")
            assert 6_000 < await redis.pttl(claim) <= 12_000  # two leases


async def _is_empty(redis: Any, stream: str) -> bool:
    return bool(await redis.xlen(stream) == 0)


class TestADirectMessage:
    async def test_is_handled_with_its_fields_as_the_payload(self, ran: list[str]) -> None:
        async with running(users(ran)), raw_redis(private_redis_url()) as redis:
            message = json.loads(frames.DIRECT_MESSAGE) | {"action": "get_user"}
            for _ in range(2):  # the same one again is another one
                await redis.publish("users", json.dumps(message))
            await until(lambda: ran == ["u1", "u1"])

    async def test_for_an_unknown_action_is_only_logged(self, ran: list[str]) -> None:
        with capture_logs() as lines:
            async with running(users(ran)), raw_redis(private_redis_url()) as redis:
                await redis.publish("users", frames.DIRECT_MESSAGE)
                await until(lambda: any("unknown action" in line["event"] for line in lines))
                assert await redis.keys("*forget_user") == []

    @pytest.mark.parametrize("message", [b"", b"3", b"\xff", b"[" * 5000, b'{"type": "event"}', b'{"action": 3}'])
    async def test_that_is_none_is_dropped(self, caller: OldCaller, message: bytes) -> None:
        async with raw_redis(private_redis_url()) as redis:
            assert await redis.publish("users", message) == 1
        assert await caller.ask() == json.loads(frames.SUCCESS)


@asynccontextmanager
async def three_replicas(ran: list[str]) -> AsyncGenerator[None]:
    async with running(users(ran)), running(users(ran)), running(users(ran)):
        yield


class TestReplicas:
    async def test_handle_each_request_once(self, ran: list[str]) -> None:
        wanted = [str(number) for number in range(100)]
        async with three_replicas(ran), old_caller() as caller, raw_redis(private_redis_url()) as redis:
            for number in wanted:
                await caller.publish(request_id=number, payload={"id": number})
            assert sorted([str((await caller.reply())["request_id"]) for _ in wanted]) == sorted(wanted)
            for number in wanted:  # and so without an id
                await redis.publish("users", json.dumps({"action": "get_user", "id": number}))
            await until(lambda: len(ran) >= 200)
            assert await caller.hears_nothing()
        assert sorted(ran) == sorted(wanted * 2)

    async def test_answer_an_unknown_action_and_relay_a_stream_once(self, ran: list[str]) -> None:
        async with three_replicas(ran), old_caller() as caller:
            assert (await caller.ask(action="get_usr", request_id="1"))["status"] == "error"
            await caller.publish(action="import_users", request_id="2", payload={"names": ["a"]})
            assert [(await caller.reply())["final"] for _ in range(2)] == [False, True]
            assert await caller.hears_nothing()

    async def test_that_stop_leave_the_rest_to_the_others(self, ran: list[str]) -> None:
        async with running(users(ran)), old_caller() as caller:
            async with running(users(ran)):
                assert await caller.ask(request_id="1") is not None
            for number in "23456":
                assert (await caller.ask(request_id=number))["status"] == "success"

    async def test_that_stop_tell_the_callers_whose_streams_they_relay(self, ran: list[str]) -> None:
        async with old_caller() as caller:
            async with running(users(ran)):
                await caller.publish(action="import_users", payload={"names": ["endless"]})
                assert (await caller.reply())["status"] == "success"
            reply = await caller.reply()
        assert (reply["status"], reply["final"]) == ("error", True)


@pytest.mark.parametrize("legacy", [None, False])
async def test_nobody_listens_unless_asked_for(ran: list[str], legacy: bool | None) -> None:
    async with running(users(ran, legacy=legacy)), raw_redis(private_redis_url()) as redis:
        assert await redis.publish("users", frames.REQUEST) == 0


async def test_the_environment_asks_for_it(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEBUS_LEGACY", "1")
    async with running(users(ran, legacy=None)), old_caller() as caller:
        assert await caller.ask() == json.loads(frames.SUCCESS)


async def test_a_server_that_forbids_the_channel_is_a_warning(ran: list[str]) -> None:
    url = private_redis_url()
    async with raw_redis(url) as redis:
        rules = ("on", ">secret", "~*", "+@all", "resetchannels", "&daebus:*")
        await redis.execute_command("ACL", "SETUSER", "narrow", *rules)
        try:
            with capture_logs() as lines:
                async with running(users(ran), redis_url=url.replace("://", "://narrow:secret@")):
                    (line,) = [line for line in lines if line["log_level"] == "warning"]
        finally:
            await redis.execute_command("ACL", "DELUSER", "narrow")
    assert "remove legacy=True" in line["event"]
    assert line["channel"] == "users"


async def test_websocket_clients_find_us_on_their_port_at_any_path() -> None:
    from websockets.asyncio.client import connect  # noqa: PLC0415

    async with running(new_service, service="users") as service:
        for path in ("", "/", "/ws", "/old/path"):
            async with connect(f"ws://127.0.0.1:{service.ports['websocket']}{path}") as client:
                assert json.loads(await client.recv()).keys() == json.loads(frames.CONNECTED).keys()
                await client.send(frames.REGISTER)
                assert json.loads(await client.recv()) == json.loads(frames.REGISTERED)
                await client.send('{"type": "get_usres"}')
                assert json.loads(await client.recv()) == json.loads(frames.OUR_SOCKET_ERROR)
        async with service.socket() as socket:
            assert (await socket.receive()).type == "response"


@pytest.mark.parametrize(
    "message",
    [
        b'{"action":"a","reply_to":"user_events","request_id":"r"}',
        b'{"action":"a","service":"a:b","request_id":"r"}',
        b'{"action":"","request_id":"r"}',
        b"[]",
        b"\xff",
    ],
)
def test_what_names_no_reply_channel_or_is_no_request_is_none(message: bytes) -> None:
    assert read_request(message, "users") is None
