"""The user service as its developers test it: in the test's own process, with parts of it replaced."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.support import until
from user_service.blueprints.users import cleanup
from user_service.container import Container
from user_service.contracts import (
    CREATE_USER,
    GET_USER,
    LOGIN,
    CreateUser,
    GetUser,
    Login,
    Member,
    User,
)
from user_service.store import Account, Session, UserRepo

from app import app
from daebus.errors import Conflict, NotFound
from daebus.telemetry.logs import make_logger
from daebus.testing import RunningService, running

ADA = CreateUser("ada@example.com", "Ada", "secret word")
_numbers = itertools.count(1)


@pytest.fixture
async def service() -> AsyncGenerator[RunningService]:
    config = app.container.config
    config.prefix.from_value(f"test{next(_numbers)}")
    config.monitor_seconds.from_value(0.02)
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
    document = (await service.http.get("/schema/openapi.json")).json()
    paths = document["paths"]

    logins = {"/api/auth/login", "/api/auth/refresh", "/api/auth/logout"}
    assert set(paths) == {"/api/users", "/api/users/{user_id}", "/api/me", *logins}
    assert set(paths["/api/users"]) == {"get", "post"}
    assert paths["/api/me"]["patch"]["security"] == [{"bearer": []}]
    assert "security" not in paths["/api/auth/login"]["post"]
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["components"]["securitySchemes"] == {"bearer": bearer}


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

    await service.call(LOGIN, Login(ADA.email, "secret word"))

    async def was_seen() -> bool:
        return (await account_of(container, user)).last_active > before

    await until(was_seen)


async def test_rooms_are_left(service: RunningService, container: Container) -> None:
    user = await service.call(CREATE_USER, ADA)
    rooms = container.presence()
    with service.as_user(Member(user.id, session="s1", until=datetime.now(UTC))):
        async with service.socket() as socket:
            await socket.ask("whoami")
            assert len(rooms) == 1
        await until(lambda: len(rooms) == 0)


async def test_who_renames_stands_in_the_audit_trail(service: RunningService, container: Container) -> None:
    user = await service.call(CREATE_USER, ADA)
    with service.as_user(Member(user.id, session="s1", until=datetime.now(UTC))):
        assert (await service.http.patch("/api/me", json={"name": "Countess"})).json()["name"] == "Countess"
    db = container.db()
    wanted = f"{user.id} renamed {user.id}".encode()

    async def is_written() -> bool:
        return wanted in await db.redis.lrange(db.audit, 0, -1)

    await until(is_written)


async def test_whoever_has_the_page_open_sees_who_is_there_and_what_changes(service: RunningService) -> None:
    page = await service.http.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    for name in ("style.css", "people.js", "session.js", "live.js", "icon.svg"):
        assert (await service.http.get(f"/{name}")).status_code == 200
    assert (await service.http.get("/app.py")).status_code == 404

    user = await service.call(CREATE_USER, ADA)
    with service.as_user(Member(user.id, session="s1", until=datetime.now(UTC))):
        async with service.socket() as socket:
            await socket.receive()  # the answer to the handshake
            joined = msgspec.json.decode((await socket.ask("join", {"room": "people"})).data)
            assert [member["data"]["name"] for member in joined["members"]] == ["Ada"]
            await service.http.patch("/api/me", json={"name": "Countess"})
            saved = await socket.receive()
            assert (saved.type, msgspec.json.decode(saved.data)["name"]) == ("user_saved", "Countess")
    with service.as_user(None):
        async with service.socket() as socket:
            await socket.receive()
            assert (await socket.ask("join", {"room": "people"})).type == "error"
