"""daebus 0.0.31 and this one, as real processes: ``nox -s legacy``. The default suite replays what was recorded."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest
from tests.legacy import frames
from tests.legacy.new_service import USER_EVENTS, Step, User, UserCreated, UserId
from tests.legacy.peers import OldCaller, old_caller, old_service, tcp_engine
from tests.processes import Service, launched, serving
from tests.support import raw_redis, until
from websockets.asyncio.client import connect

from daebus import Action, Bus, StreamAction
from daebus.errors import NoSuchService, ServiceError, Timeout

Fields = Mapping[str, object]

GET_USER = Action[UserId, User]("get_user", service="users")
CREATE_USER = Action[Fields, User]("create_user", service="users")
IMPORT_USERS = StreamAction[Fields, Step]("import_users", service="users")
TARGET = "tests/legacy/new_service.py:app"


@pytest.fixture
def port() -> Generator[int]:
    with tcp_engine() as port:
        yield port


def url(port: int) -> str:
    return f"redis://127.0.0.1:{port}"


@asynccontextmanager
async def heard(port: int, *channels: str) -> AsyncGenerator[Any]:
    """A plain subscriber."""
    async with raw_redis(url(port)) as redis, redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(*channels)
        yield pubsub


async def next_message(pubsub: Any) -> Any:
    async with asyncio.timeout(5):
        while (message := await pubsub.get_message(timeout=5)) is None:
            pass
    return json.loads(message["data"])


class TestItsCallerAndOurService:
    @pytest.fixture
    def caller(self, port: int) -> Generator[OldCaller]:
        with serving(TARGET, "--service", "users", redis_url=url(port)) as service, old_caller(port) as caller:
            self.service = service
            yield caller

    def test_gets_replies(self, caller: OldCaller) -> None:
        assert caller.ask("get_user", {"id": "u1"}) == {"reply": {"id": "u1", "name": "Ada"}, "progress": []}

    def test_gets_errors_at_once(self, caller: OldCaller) -> None:
        started = time.monotonic()
        assert caller.ask("get_user", {"id": "u9"}) == {"error": "User u9 not found", "kind": "Exception"}
        assert "Missing value at `$.id`" in caller.ask("get_user", {})["error"]
        assert "has no action 'get_usr'; did you mean 'get_user'?" in caller.ask("get_usr", {})["error"]
        assert time.monotonic() - started < 4, "it waited for a timeout"

    def test_gets_progress_and_the_last_step_as_the_reply(self, caller: OldCaller) -> None:
        answer = caller.ask("import_users", {"names": ["a", "b", "c"]})
        assert answer == {"reply": {"done": 3}, "progress": [{"done": 1}, {"done": 2}, {"done": 3}]}

    def test_sends_direct_messages_and_events(self, caller: OldCaller) -> None:
        assert caller.do("direct", action="forget_user", payload={"id": "u1"}) == {"heard": 1}
        while "error" not in caller.ask("get_user", {"id": "u1"}):
            time.sleep(0.01)
        assert caller.do("message", channel="user_events", payload=json.loads(frames.EVENT)) == {"heard": 1}
        self.service.wait_for("user created", user="u2")


class TestReplicas:
    @pytest.fixture
    def replicas(self, port: int) -> Generator[list[Service]]:
        command = ("daebus", "run", TARGET, "--service", "users", "--port", "0")
        with ExitStack() as stack:
            started = [
                stack.enter_context(launched(*command, DAEBUS_REDIS_URL=url(port), PYTHONWARNINGS="default"))
                for _ in range(3)
            ]
            for replica in started:
                replica.wait_for("service started")
            yield started

    async def test_handle_each_request_once(self, port: int, replicas: list[Service]) -> None:
        async with heard(port, "user_events") as events:
            with old_caller(port) as caller:
                answer = await asyncio.to_thread(
                    caller.do, "burst", action="create_user", payload={"name": "x"}, count=300, threads=16
                )
            assert answer == {"failed": []}
            for _ in range(300):
                await next_message(events)
            assert await events.get_message(timeout=0.5) is None

    def test_survive_the_death_of_one(self, port: int, replicas: list[Service]) -> None:
        with old_caller(port) as caller:
            caller.start("burst", action="get_user", payload={"id": "u1"}, count=2000, threads=16)
            time.sleep(1)
            replicas[0].process.kill()
            failed = caller.answer()["failed"]
        # Only what the dead one had in hand; it is run by another one when its lease is out, too late for the caller.
        assert len(failed) <= 16, failed

    def test_survive_a_restart_of_each(self, port: int, replicas: list[Service]) -> None:
        with old_caller(port) as caller:
            caller.start("burst", action="get_user", payload={"id": "u1"}, count=2000, threads=16)
            for replica in replicas[:2]:
                time.sleep(0.5)
                assert replica.stop() == 0
            assert caller.answer() == {"failed": []}

    async def test_take_nothing_twice_after_a_sleep(self, port: int) -> None:
        command = ("daebus", "run", "tests/legacy/short_lease.py:app", "--service", "users", "--port", "0")
        with ExitStack() as stack:
            replicas = [stack.enter_context(launched(*command, DAEBUS_REDIS_URL=url(port))) for _ in range(2)]
            for replica in replicas:
                replica.wait_for("service started")
            caller = stack.enter_context(old_caller(port))
            async with heard(port, "user_events") as events:
                replicas[0].process.send_signal(signal.SIGSTOP)
                for name in range(5):
                    # Without an id the first live instance takes it; with one, whoever is awake.
                    assert await asyncio.to_thread(caller.ask, "create_user", {"name": str(name)}, timeout=5)
                await asyncio.sleep(3)  # the lease is 1 s, the claims go after 2 s
                replicas[0].process.send_signal(signal.SIGCONT)
                assert "reply" in await asyncio.to_thread(caller.ask, "create_user", {"name": "last"})
                for _ in range(6):
                    await next_message(events)
                assert await events.get_message(timeout=0.5) is None


def test_an_outage_of_the_server_is_over_for_old_callers_too() -> None:
    with ExitStack() as stack:
        with tcp_engine() as port:
            replica = stack.enter_context(
                serving("tests/legacy/short_lease.py:app", "--service", "users", redis_url=url(port))
            )
        time.sleep(2)  # longer than the lease
        with tcp_engine(port), old_caller(port) as caller:
            replica.wait_for("listening", protocol="http")
            end = time.monotonic() + 10
            while "error" in (answer := caller.ask("get_user", {"id": "u1"}, timeout=0.5)):
                assert time.monotonic() < end, answer
            assert [caller.ask("get_user", {"id": "u1"}, timeout=1).get("error") for _ in range(5)] == [None] * 5


class TestOurCallerAndItsService:
    @pytest.fixture(autouse=True)
    def service(self, port: int) -> Generator[None]:
        with old_service(port):
            yield

    @pytest.fixture
    async def bus(self, port: int) -> AsyncGenerator[Bus]:
        async with Bus(url(port), legacy=True) as bus:
            yield bus

    async def test_gets_replies_and_errors(self, bus: Bus) -> None:
        assert await bus.call(GET_USER, UserId("u1")) == User("u1", "Ada")
        with pytest.raises(ServiceError, match="User u9 not found") as caught:
            await bus.call(GET_USER, UserId("u9"))
        assert caught.value.code == "error"

    async def test_gets_progress(self, bus: Bus) -> None:
        names = {"names": ["a", "b"]}
        assert [step async for step in bus.stream(IMPORT_USERS, names)] == [Step(1), Step(2)]
        called = Action[Fields, Step]("import_users", service="users")
        assert await bus.call(called, names) == Step(2)

    async def test_what_it_does_not_answer_is_a_timeout(self, bus: Bus) -> None:
        with pytest.raises(Timeout):
            await bus.call(Action[Fields, User]("get_usr", service="users"), {}, timeout=0.5)
        with pytest.raises(NoSuchService):
            await bus.call(GET_USER, UserId("u1"), service="nobody")

    async def test_sends(self, bus: Bus, port: int) -> None:
        async with heard(port, "user_events") as events:
            await bus.send(CREATE_USER, {"name": "Bob"})
            assert await next_message(events) == json.loads(frames.EVENT)
        assert await bus.call(GET_USER, UserId("u2")) == User("u2", "Bob")


async def test_events_go_both_ways(port: int) -> None:
    with serving(TARGET, "--service", "ours", redis_url=url(port)) as ours, old_service(port) as theirs:
        async with Bus(url(port), legacy=True) as bus:
            await bus.call(CREATE_USER, {"name": "Bob"})
            ours.wait_for("user created", user="u2")
            await bus.publish(USER_EVENTS, UserCreated("u3"))
            ours.wait_for("user created", user="u3")
            await until(lambda: theirs.log.read_text().count("event user_created") == 2)


async def test_a_service_moves_and_its_callers_notice_nothing(port: int) -> None:
    async with Bus(url(port), legacy=True) as bus:
        with old_caller(port) as caller:

            async def both_get_their_replies() -> None:
                assert await bus.call(GET_USER, UserId("u1")) == User("u1", "Ada")
                assert [step async for step in bus.stream(IMPORT_USERS, {"names": ["a", "b"]})] == [Step(1), Step(2)]
                assert (await asyncio.to_thread(caller.ask, "get_user", {"id": "u1"}))["reply"]["name"] == "Ada"
                imported = await asyncio.to_thread(caller.ask, "import_users", {"names": ["a", "b"]})
                assert imported["reply"] == {"done": 2}

            with old_service(port):
                await both_get_their_replies()
            with pytest.raises(NoSuchService):
                await bus.call(GET_USER, UserId("u1"))
            with serving(TARGET, "--service", "users", redis_url=url(port)):
                await both_get_their_replies()
            with old_service(port):  # it goes back: that has to be said, as nothing is guessed
                async with raw_redis(url(port)) as redis:
                    await redis.delete("daebus:{users}:serving")
                await both_get_their_replies()


async def exchange(address: str) -> list[Fields]:
    """What a client of the old service's says, and gets."""
    answers: list[Fields] = []
    async with connect(address) as client:
        answers.append(json.loads(await client.recv()))
        for message in (frames.REGISTER, '{"type": "get_users", "data": {}}', '{"type": "get_users"}'):
            await client.send(message)
            answers.append(json.loads(await client.recv()))
        await client.send('{"type": "get_usres"}')
        answers.append(json.loads(await client.recv()))
    return answers


async def test_websocket_clients_get_from_us_what_they_got_from_it(port: int) -> None:
    with old_service(port) as theirs:
        before = await exchange(f"ws://127.0.0.1:{theirs.websocket}")
    with serving(TARGET, "--service", "users", redis_url=url(port)) as service:
        line = service.wait_for("listening", protocol="websocket")
        after = await exchange(f"ws://127.0.0.1:{line['port']}")
    assert before[0].keys() == after[0].keys() == json.loads(frames.CONNECTED).keys()
    assert before[1] == after[1] == json.loads(frames.REGISTERED)
    assert before[2:4] == after[2:4] == [{"type": "response", "data": [{"id": "u1", "name": "Ada"}]}] * 2
    assert before[4] == json.loads(frames.SOCKET_ERROR)
    assert after[4] == json.loads(frames.OUR_SOCKET_ERROR)


async def test_the_frames_of_the_default_suite_are_what_it_sends(port: int) -> None:
    """Modulo the ids, which it makes up."""
    with old_service(port), old_caller(port) as caller:
        async with heard(port, "users") as requests, raw_redis(url(port)) as redis:
            assert "reply" in await asyncio.to_thread(caller.ask, "get_user", {"id": "u1"})
            recorded, found = json.loads(frames.REQUEST), await next_message(requests)
            assert found == recorded | {name: found[name] for name in ("reply_to", "request_id")}
            await asyncio.to_thread(caller.do, "direct", action="forget_user", payload={"id": "u1"})
            assert await next_message(requests) == json.loads(frames.DIRECT_MESSAGE)
        async with heard(port, recorded["reply_to"]) as replies, raw_redis(url(port)) as redis:
            for action, payload, expected in (
                ("create_user", {"name": "Ada"}, frames.SUCCESS),
                ("get_user", {"id": "u9"}, frames.ERROR),
                ("import_users", {"names": ["a", "b"]}, frames.PROGRESS),
            ):
                await redis.publish("users", json.dumps(recorded | {"action": action, "payload": payload}))
                assert await next_message(replies) == json.loads(expected)
            assert await next_message(replies) == json.loads(frames.FINAL)
