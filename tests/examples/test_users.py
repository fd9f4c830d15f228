"""The user service, run as its users run it."""

from __future__ import annotations

import itertools
import json
import signal
import socket as sockets
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.processes import EXAMPLES, Service, daebus, launched, serving
from user_service.contracts import (
    CREATE_USER,
    GET_USER,
    IMPORT_USERS,
    LOGIN,
    USER_EVENTS,
    CreateUser,
    GetUser,
    ImportJob,
    Login,
    User,
    UserDeleted,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from daebus import Action, Bus, Channel
from daebus.errors import BadRequest, Conflict, NoSuchAction, NoSuchService, NotFound, TooLarge

TARGET = "examples/users/app.py:app"
BIG = "x" * 2 * 1024 * 1024
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def users(redis_url: str) -> Generator[Service]:
    with serving(TARGET, "--service", "user_service", redis_url=redis_url) as service:
        yield service


@pytest.fixture
async def http(users: Service) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=users.url) as client:
        yield client


def new_email() -> str:
    return f"user{next(_numbers)}@example.com"


async def receive(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def ask(socket: ClientConnection, message: dict[str, object]) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    while (answer := await receive(socket)).get("id") != message.get("id"):
        pass
    return answer


async def log_in(bus: Bus) -> str:
    return (await bus.call(LOGIN, Login("user@example.com", "password"))).access_token


def showing(token: str) -> list[Subprotocol]:
    """The subprotocols with which a browser shows its token."""
    return [Subprotocol("daebus"), Subprotocol(f"daebus.bearer.{token}")]


class TestHttp:
    async def test_users(self, http: httpx.AsyncClient) -> None:
        email = new_email()
        created = await http.post("/api/users", json={"email": email, "name": "Ada"})
        assert created.status_code == 201
        user = created.json()
        assert (user["email"], user["name"]) == (email, "Ada")

        found = await http.get(f"/api/users/{user['id']}")
        assert (found.status_code, found.json()) == (200, user)
        assert user in (await http.get("/api/users")).json()["users"]

    async def test_problems(self, http: httpx.AsyncClient) -> None:
        missing = await http.get("/api/users/nobody")
        assert missing.status_code == 404
        assert missing.headers["content-type"].startswith("application/problem+json")
        assert missing.json()["detail"] == "User nobody not found"

        email = new_email()
        await http.post("/api/users", json={"email": email})
        taken = await http.post("/api/users", json={"email": email})
        assert (taken.status_code, taken.json()["detail"]) == (409, f"{email} is taken")

    @pytest.mark.parametrize(
        ("body", "status", "part"),
        [
            ('{"email": "nobody"}', 400, "email"),
            ('{"name": "Ada"}', 400, "email"),
            ('{"email": ', 400, "truncated"),
            ("[1]", 400, "object"),
            (json.dumps({"email": BIG}), 413, ""),
        ],
    )
    async def test_bad_bodies(self, http: httpx.AsyncClient, body: str, status: int, part: str) -> None:
        refused = await http.post("/api/users", content=body, headers={"content-type": "application/json"})

        assert refused.status_code == status
        assert part in refused.text
        assert refused.headers["content-type"].startswith("application/problem+json")
        assert (await http.get("/api/users")).status_code == 200

    async def test_routes_are_not_documented_outside_of_development(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/schema/openapi.json")).status_code == 404


class TestBus:
    async def test_users(self, users: Service, bus: Bus) -> None:
        user = await bus.call(CREATE_USER, CreateUser(new_email(), "Ada", "secret word"))

        assert await bus.call(GET_USER, GetUser(user.id)) == user
        await users.logged("user was created", user_id=user.id)
        with pytest.raises(Conflict) as conflict:
            await bus.call(CREATE_USER, CreateUser(user.email))
        assert conflict.value.details == {"email": user.email}

    async def test_import(self, users: Service, bus: Bus) -> None:
        known, new = new_email(), new_email()
        await bus.call(CREATE_USER, CreateUser(known))
        steps = [step async for step in bus.stream(IMPORT_USERS, ImportJob([CreateUser(known), CreateUser(new)]))]

        assert [(step.done, step.total, step.error) for step in steps] == [(1, 2, f"{known} is taken"), (2, 2, None)]
        assert steps[1].user_id is not None
        assert (await bus.call(GET_USER, GetUser(steps[1].user_id))).email == new

    async def test_mistakes_are_answered(self, users: Service, bus: Bus) -> None:
        anything = Action[Any, Any]

        with pytest.raises(NotFound, match="User nobody not found"):
            await bus.call(GET_USER, GetUser("nobody"))
        with pytest.raises(BadRequest) as wrong:
            await bus.call(anything("get_user", service="user_service"), {"id": 3})
        assert wrong.value.details["errors"] == [
            {"in": "payload", "path": "$.id", "problem": "Expected `str`, got `int`"}
        ]
        with pytest.raises(BadRequest, match="email"):
            await bus.call(anything("create_user", service="user_service"), {"email": "nobody"})
        with pytest.raises(NoSuchAction, match="get_usr"):
            await bus.call(anything("get_usr", service="user_service"), {"id": "u1"})
        with pytest.raises(NoSuchService, match="usr_service"):
            await bus.call(anything("get_user", service="usr_service"), {"id": "u1"})
        with pytest.raises(TooLarge, match="bytes"):
            await bus.call(CREATE_USER, CreateUser(new_email(), BIG))
        await bus.call(CREATE_USER, CreateUser(new_email()))

    async def test_events(self, users: Service, bus: Bus) -> None:
        anything = Channel[Any]("user_events")
        strange_events: list[object] = [
            {"type": "user_renamed", "user_id": "u1"},
            {"type": "user_deleted"},
            [],
            "user_deleted",
        ]
        for strange in strange_events:
            await bus.publish(anything, strange)
        await bus.publish(USER_EVENTS, UserDeleted("somebody"))

        await users.logged("user was deleted", user_id="somebody")


class TestWebSockets:
    async def test_without_a_token(self, users: Service) -> None:
        async with connect(users.sockets()) as socket:
            assert await receive(socket) == {"type": "response", "data": {"authenticated": False}}
            assert (await ask(socket, {"type": "whoami", "id": 1}))["data"] == {"authenticated": False}

    async def test_with_a_bad_token(self, users: Service) -> None:
        async with connect(users.sockets(), subprotocols=showing("bad")) as socket:
            assert (await receive(socket))["data"] == {"authenticated": False}

    async def test_with_a_token(self, users: Service, bus: Bus) -> None:
        token = await log_in(bus)
        async with connect(users.sockets()) as watcher:
            await receive(watcher)
            async with connect(users.sockets(), subprotocols=showing(token)) as socket:
                welcome = await receive(socket)
                while welcome["type"] != "response":
                    welcome = await receive(socket)
                user_id = welcome["data"]["user_id"]

                assert welcome["data"]["authenticated"] is True
                assert (await ask(socket, {"type": "whoami", "id": 1}))["data"]["user_id"] == user_id
                listed = await ask(socket, {"type": "get_users", "id": 2})
                assert user_id in [user["id"] for user in listed["data"]["users"]]
            online = await receive(watcher)
            assert (online["type"], online["data"]["id"]) == ("user_online", user_id)
        await users.logged("user went offline", user_id=user_id)

    @pytest.mark.parametrize(
        ("message", "code"),
        [
            ("{", "bad_request"),
            ("[]", "bad_request"),
            ('{"data": null}', "bad_request"),
            ('{"type": "get_user", "id": 3}', "no_such_type"),
            ('{"type": "get_users", "data": {"page": 2}}', "bad_request"),
            (json.dumps({"type": "get_users", "data": BIG}), "too_large"),
        ],
    )
    async def test_mistakes_are_answered(self, users: Service, message: str, code: str) -> None:
        async with connect(users.sockets()) as socket:
            await receive(socket)
            await socket.send(message)
            answer = await receive(socket)

            assert (answer["type"], answer["data"]["code"]) == ("error", code)
            assert answer["data"]["error"]
            assert (await ask(socket, {"type": "get_users", "id": "next"}))["type"] == "response"


class TestCommandLine:
    async def test_call(self, users: Service, bus: Bus, redis_url: str) -> None:
        user = await bus.call(CREATE_USER, CreateUser(new_email(), "Ada"))
        outcome = await daebus("call", "user_service", "get_user", f'{{"id": "{user.id}"}}', redis_url=redis_url)

        assert (outcome.code, outcome.errors) == (0, "")
        assert msgspec.json.decode(outcome.output, type=User) == user

    async def test_a_failed_call(self, users: Service, redis_url: str) -> None:
        outcome = await daebus("call", "user_service", "get_user", '{"id": "nobody"}', redis_url=redis_url)

        assert (outcome.code, outcome.output) == (1, "")
        assert "User nobody not found" in outcome.errors
        assert "Traceback" not in outcome.errors

    async def test_send_and_publish(self, users: Service, bus: Bus, redis_url: str) -> None:
        email = new_email()
        sent = await daebus(
            "send", "user_service", "create_user", "-", redis_url=redis_url, stdin=b'{"email":"%b"}' % email.encode()
        )
        assert (sent.code, sent.errors) == (0, "")
        published = await daebus(
            "publish", "user_events", '{"type":"user_deleted","user_id":"by hand"}', redis_url=redis_url
        )
        assert (published.code, published.errors) == (0, "")

        await users.logged("user was created")
        await users.logged("user was deleted", user_id="by hand")

    async def test_listen(self, users: Service, bus: Bus, redis_url: str) -> None:
        command = (sys.executable, "-m", "daebus", "listen", "user_events")
        with launched(*command, DAEBUS_REDIS_URL=redis_url) as listener:
            created: list[str] = []
            while "\n" not in listener.output():
                assert listener.process.poll() is None, listener.text()
                created.append((await bus.call(CREATE_USER, CreateUser(new_email()))).id)
            assert json.loads(listener.output().splitlines()[0])["user_id"] in created
            listener.stop(number=signal.SIGINT)
            assert "Traceback" not in listener.text()

    async def test_check(self, redis_url: str) -> None:
        outcome = await daebus("check", TARGET, "--service", "user_service", redis_url=redis_url)
        assert outcome.code == 0, outcome.errors
        wrong = await daebus("check", TARGET, "--service", "users", redis_url=redis_url)
        assert wrong.code != 0
        assert "user_service" in wrong.errors


class TestReplicas:
    async def test_two_agree(self, users: Service, bus: Bus, redis_url: str) -> None:
        with serving(TARGET, "--service", "user_service", redis_url=redis_url) as second:
            async with httpx.AsyncClient(base_url=second.url) as http, connect(users.sockets()) as watcher:
                await receive(watcher)
                user = await bus.call(CREATE_USER, CreateUser(new_email()))
                await users.logged("user was created", user_id=user.id)
                await second.logged("user was created", user_id=user.id)
                assert (await http.get(f"/api/users/{user.id}")).status_code == 200

                token = await log_in(bus)
                async with connect(second.sockets(), subprotocols=showing(token)) as socket:
                    assert (await receive(watcher))["type"] == "user_online"
                    assert (await ask(socket, {"type": "whoami", "id": 1}))["data"]["authenticated"] is True

    async def test_one_stops_while_the_other_goes_on(self, users: Service, bus: Bus, redis_url: str) -> None:
        with serving(TARGET, "--service", "user_service", redis_url=redis_url) as second:
            async with connect(second.sockets()) as socket:
                await receive(socket)

                assert second.stop() == 0

                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
            assert second.problems() == []
        for _ in range(5):
            await bus.call(CREATE_USER, CreateUser(new_email()), timeout=2)


async def test_on_the_embedded_engine(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    command = (sys.executable, "-m", "daebus", "run", f"{EXAMPLES / TARGET.removeprefix('examples/')}")
    with launched(*command, "--service", "user_service", "--port", "0", cwd=tmp_path, DAEBUS_EMBEDDED="1") as service:
        service.wait_for("service started")
        async with httpx.AsyncClient(base_url=service.url) as http:
            assert (await http.post("/api/users", json={"email": new_email()})).status_code == 201
        assert service.stop() == 0
    assert (tmp_path / ".daebus").is_dir()


def test_as_a_script(redis_url: str) -> None:
    with sockets.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8080)) == 0:
            pytest.skip("port 8080 is taken")
    with launched(sys.executable, str(EXAMPLES / "users/app.py"), cwd=Path("/"), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        assert service.port == 8080
        assert service.stop() == 0
