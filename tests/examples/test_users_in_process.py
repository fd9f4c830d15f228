"""The user service as its developers test it: in the test's own process, with parts of it replaced."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from tests.support import until
from user_service.blueprints.users import cleanup
from user_service.container import Container
from user_service.contracts import (
    CREATE_USER,
    GET_USER,
    LOGIN,
    VERIFY_TOKEN,
    CreateUser,
    Credentials,
    GetUser,
    User,
    VerifyToken,
)
from user_service.store import Account, Session, UserRepo

from app import app
from daebus.errors import Conflict, NotFound, Unauthorized
from daebus.telemetry.logs import make_logger
from daebus.testing import RunningService, running

ADA = CreateUser("ada@example.com", "Ada", "secret word")
_numbers = itertools.count(1)


@pytest.fixture
async def service() -> AsyncGenerator[RunningService]:
    config = app.container.config
    config.prefix.from_value(f"test{next(_numbers)}")
    config.monitor_seconds.from_value(0.02)
    config.token_seconds.from_value(1)
    async with running(app, service="user_service") as service:
        yield service


@pytest.fixture
def container(service: RunningService) -> Container:
    return app.container


async def account_of(container: Container, user: User) -> Account:
    account = await container.repo().find_account(user.email)
    assert account is not None
    return account


async def test_openapi(service: RunningService) -> None:
    paths = (await service.http.get("/schema/openapi.json")).json()["paths"]

    assert set(paths) == {"/api/users", "/api/users/{user_id}", "/api/auth/login"}
    assert set(paths["/api/users"]) == {"get", "post"}


async def test_a_fake_repository(service: RunningService) -> None:
    class Everyone(UserRepo):
        def __init__(self) -> None:
            pass

        async def find(self, user_id: str) -> User | None:
            return User(user_id, "everyone@example.com", "Everyone", datetime.now(UTC))

    with service.override(repo=Everyone()):
        assert (await service.call(GET_USER, GetUser("u1"))).name == "Everyone"
        assert (await service.http.get("/api/users/u1")).json()["name"] == "Everyone"
    with pytest.raises(NotFound):
        await service.call(GET_USER, GetUser("u1"))


async def test_a_chosen_token(service: RunningService) -> None:
    await service.call(CREATE_USER, ADA)
    with service.override(token="chosen"):
        token = await service.call(LOGIN, Credentials(ADA.email, "secret word"))

    assert token.token == "chosen"
    assert (await service.call(LOGIN, Credentials(ADA.email, "secret word"))).token != "chosen"


async def test_tokens_expire(service: RunningService) -> None:
    await service.call(CREATE_USER, ADA)
    token = await service.call(LOGIN, Credentials(ADA.email, "secret word"))
    await service.call(VERIFY_TOKEN, VerifyToken(token.token))

    async def is_refused() -> bool:
        try:
            await service.call(VERIFY_TOKEN, VerifyToken(token.token))
        except Unauthorized as error:
            return error.message == "Invalid or expired token"
        return False

    await until(is_refused)


async def test_only_what_was_done_is_in_the_audit_trail(service: RunningService, container: Container) -> None:
    user = await service.call(CREATE_USER, ADA)
    with pytest.raises(Conflict):
        await service.call(CREATE_USER, ADA)

    db = container.db()
    assert await db.redis.lrange(db.audit, 0, -1) == [f"created {user.id}".encode()]


async def test_cleanup(service: RunningService, container: Container) -> None:
    repo, session = container.repo(), Session()
    gone, kept = await repo.add(ADA), await repo.add(CreateUser("bob@example.com"))
    account = await account_of(container, gone)
    account.last_active = datetime.now(UTC) - timedelta(days=31)
    await repo.save(account)

    await cleanup(repo=repo, session=session, bus=service.bus, logger=make_logger())

    assert session.changes == [f"deleted {gone.id}"]
    assert (await repo.find(gone.id), await repo.find(kept.id)) == (None, kept)


async def test_activity_is_recorded_by_the_monitor(service: RunningService, container: Container) -> None:
    user = await service.call(CREATE_USER, ADA)
    before = (await account_of(container, user)).last_active

    await service.call(LOGIN, Credentials(ADA.email, "secret word"))

    async def was_seen() -> bool:
        return (await account_of(container, user)).last_active > before

    await until(was_seen)


async def test_rooms_are_left(service: RunningService, container: Container) -> None:
    await service.call(CREATE_USER, ADA)
    token = await service.call(LOGIN, Credentials(ADA.email, "secret word"))
    rooms = container.rooms()
    async with service.socket(token=token.token) as socket:
        await socket.ask("whoami")
        assert len(rooms) == 1
    await until(lambda: len(rooms) == 0)
