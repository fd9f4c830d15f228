"""The second chapter runs: every handler of its page, and the calls from anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import assert_type

import msgspec
import pytest
from tests.support import until
from websockets.exceptions import InvalidStatus

from daebus import BlockingBus, Bus
from daebus.errors import BadRequest, NotFound
from daebus.telemetry.logs import make_logger
from daebus.testing import RunningService, private_redis_url, running

from .app import app
from .auth import log_in
from .contracts import (
    DELETE_USER,
    GET_USER,
    IMPORT_USERS,
    ORDERS,
    USER_EVENTS,
    USER_ONLINE,
    CreateUser,
    DeleteUser,
    GetUser,
    ImportJob,
    ImportStep,
    OrderPlaced,
    User,
    UserCreated,
    UserList,
)
from .helpers import Journal, UserRepo, Welcome
from .users import cleanup, get_user


@pytest.fixture
async def service() -> AsyncGenerator[RunningService]:
    app.container.config.from_dict({"db": {"url": "memory://page"}})
    async with running(app, service="user_service") as service:
        yield service


@pytest.fixture
def repo(service: RunningService) -> UserRepo:
    return app.container.repo()


@pytest.fixture
def journal(repo: UserRepo) -> Journal:
    return repo.journal


async def add(repo: UserRepo) -> User:
    return await repo.add(CreateUser("ada@example.com", "Ada"))


async def test_call(service: RunningService, repo: UserRepo) -> None:
    user = await add(repo)

    assert await service.call(GET_USER, GetUser(user.id), timeout=2) == user
    assert await service.call(get_user, GetUser(user.id)) == user
    with pytest.raises(NotFound, match="User u9 not found"):
        await service.call(GET_USER, GetUser("u9"))


async def test_http(service: RunningService, journal: Journal) -> None:
    created = await service.http.post("/api/users", json={"email": "ada@example.com", "name": "Ada"})
    user = msgspec.json.decode(created.content, type=User)

    assert created.status_code == 201
    assert (await service.http.get(f"/api/users/{user.id}")).json() == msgspec.to_builtins(user)
    assert (await service.http.get("/api/users/u9")).status_code == 404
    assert (await service.http.post("/api/users", json={"email": "nobody"})).status_code == 400
    await until(lambda: f"heard created {user.id}" in journal.lines)


async def test_stream(service: RunningService, repo: UserRepo) -> None:
    steps = [step async for step in service.stream(IMPORT_USERS, ImportJob("example.com"))]

    assert_type(steps, list[ImportStep])
    assert [(step.done, step.user.email) for step in steps] == [(1, "1@example.com"), (2, "2@example.com")]
    assert [step.user for step in steps] == await repo.all()


async def test_send_and_a_provider_over_the_bus(service: RunningService, repo: UserRepo, journal: Journal) -> None:
    user = await add(repo)

    await service.send(DELETE_USER, DeleteUser(user.id))

    await until(lambda: f"heard deleted {user.id}" in journal.lines)
    assert await repo.find(user.id) is None


async def test_a_session_is_entered_and_left_with_the_message(
    service: RunningService, repo: UserRepo, journal: Journal
) -> None:
    user = await add(repo)

    await service.call(DELETE_USER, DeleteUser(user.id))
    sessions = [line for line in journal.lines if line.startswith(("session", "deleted"))]
    assert sessions == ["session entered", f"deleted {user.id}", "session left"]

    with pytest.raises(NotFound):
        await service.call(DELETE_USER, DeleteUser(user.id))
    assert [line for line in journal.lines if line.startswith("session")][2:] == [
        "session entered",
        "session rolled back",
    ]


async def test_a_factory_makes_a_new_object_for_each_injection(service: RunningService) -> None:
    first, second = await service.call(log_in, "u1"), await service.call(log_in, "u1")

    assert first != second
    assert app.container.tokens().owner(second) == "u1"


async def test_publish(service: RunningService, journal: Journal) -> None:
    await service.publish(USER_EVENTS, UserCreated("u1"))
    await service.publish(ORDERS, OrderPlaced("o1"))

    await until(lambda: {"heard created u1", "heard order o1"} <= set(journal.lines))


async def test_sockets(service: RunningService, repo: UserRepo) -> None:
    user = await add(repo)
    async with service.socket(token="good") as socket:
        welcome = await socket.receive()
        assert welcome.type == "response"
        assert msgspec.json.decode(welcome.data, type=Welcome) == Welcome("u1")

        await socket.send("get_users", message_id=1)
        answers = {answer.type: answer for answer in (await socket.receive(), await socket.receive())}

        assert answers["response"].id == 1
        assert msgspec.json.decode(answers["response"].data, type=UserList) == UserList([user])
        assert msgspec.json.decode(answers[USER_ONLINE.name].data, type=User) == user
        assert app.container.presence().left == []
    await until(lambda: len(app.container.presence().left) == 1)


async def test_reject(service: RunningService) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with service.socket(token="bad"):
            pass

    assert refused.value.response.status_code in (401, 403)


async def test_in_the_background(service: RunningService, repo: UserRepo, journal: Journal) -> None:
    await cleanup(repo=repo, logger=make_logger())  # it is due in an hour

    assert "cleaned up" in journal.lines
    await until(lambda: journal.lines.count("ticked") >= 2)
    await until(repo.looked_at.is_set)


async def test_start_and_stop() -> None:
    app.container.config.from_dict({"db": {"url": "memory://lifecycle"}})
    async with running(app, service="user_service"):
        journal = app.container.repo().journal
        assert journal.lines[:2] == ["opened memory://lifecycle", "warmed up"]

    assert journal.lines[-2:] == ["flushed", "closed"]


async def test_each_run_starts_afresh() -> None:
    app.container.config.from_dict({"db": {"url": "memory://afresh"}})
    for _ in range(2):
        async with running(app, service="user_service") as service:
            assert await app.container.repo().all() == []
            user = await add(app.container.repo())
            await service.call(DELETE_USER, DeleteUser(user.id))  # over the outbox, which has the bus of its run
            await add(app.container.repo())


async def test_overrides(service: RunningService, repo: UserRepo) -> None:
    class Everyone(UserRepo):
        async def find(self, user_id: str) -> User | None:
            return User(user_id, "everyone@example.com", "Everyone")

    everyone = Everyone(app.container.db())
    with service.override(repo=everyone):
        assert (await service.call(GET_USER, GetUser("u9"))).name == "Everyone"
    with app.container.repo.override(everyone):
        assert (await service.call(GET_USER, GetUser("u9"))).name == "Everyone"
    with pytest.raises(NotFound):
        await service.call(GET_USER, GetUser("u9"))


async def test_from_anywhere_else(service: RunningService, repo: UserRepo, journal: Journal) -> None:
    added = await add(repo)
    async with Bus(private_redis_url()) as bus:
        user = await bus.call(GET_USER, GetUser(added.id), timeout=2)
        assert_type(user, User)
        assert user == added

        async for step in bus.stream(IMPORT_USERS, ImportJob("example.com")):
            assert_type(step, ImportStep)
        await bus.send(DELETE_USER, DeleteUser(added.id))
        await bus.publish(USER_EVENTS, UserCreated("u8"))

        await until(lambda: {f"heard deleted {added.id}", "heard created u8"} <= set(journal.lines))


async def test_its_blocking_twin(service: RunningService, repo: UserRepo) -> None:
    added = await add(repo)

    def script() -> tuple[User, list[ImportStep]]:
        with BlockingBus(private_redis_url()) as bus:
            return bus.call(GET_USER, GetUser(added.id)), list(bus.stream(IMPORT_USERS, ImportJob("example.com")))

    user, steps = await asyncio.to_thread(script)
    assert user == added
    assert [step.done for step in steps] == [1, 2]


async def test_what_type_checkers_reject(service: RunningService) -> None:
    with pytest.raises(BadRequest):
        await service.call(GET_USER, 3)  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await service.publish(USER_EVENTS, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
