"""Callers with outdated contracts are told so when they start, where they ask for it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from types import ModuleType

import msgspec
import pytest
from tests.support import until

from daebus import Action, BlockingBus, Bus, Daebus, Settings, StreamAction
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


class Query(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str


class NewQuery(msgspec.Struct):
    id: str
    region: str


class NewUser(msgspec.Struct):
    id: str


GET_USER = Action[Query, User]("get_user", service="checked_users")
SAME = Action[Query, User]("same", service="checked_users")
GONE = Action[None, None]("gone", service="checked_users")
FEED = StreamAction[None, User]("feed", service="checked_users")
UNTYPED = Action[msgspec.Raw, msgspec.Raw]("untyped", service="checked_users")
OTHER = Action[None, None]("other", service="elsewhere")


def users() -> Daebus:
    app = Daebus("checked_users")

    @app.action("get_user")
    async def get_user(query: NewQuery) -> NewUser:
        return NewUser(query.id)

    @app.action("same")
    async def same(query: Query) -> User:
        return User(query.id, "")

    @app.action("untyped")
    async def untyped(query: Query) -> User:
        return User(query.id, "")

    @app.action("feed")
    async def feed() -> AsyncIterator[User]:
        yield User("", "")

    return app


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """These contracts alone are in the imported modules."""
    module = ModuleType("contracts_of_users")
    vars(module).update(GET_USER=GET_USER, UNTYPED=UNTYPED, OTHER=OTHER)
    vars(module)["Users"] = type("Users", (), {"__module__": module.__name__, "SAME": SAME, "GONE": GONE, "FEED": FEED})
    monkeypatch.setitem(sys.modules, module.__name__, module)


def told(caplog: pytest.LogCaptureFixture) -> set[str]:
    found: set[str] = set()
    for record in caplog.records:
        text = record.getMessage()
        if "a contract is outdated" in text and "service_called='checked_users'" in text:
            found.add(text.partition("place='")[2].partition("'")[0])
    return found


EXPECTED = {"action get_user, request.region", "action get_user, reply.name", "action gone"}


@pytest.mark.usefixtures("imported")
async def test_a_bus_says_which_imported_contracts_are_outdated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(users()), Bus(private_redis_url(), check_contracts=True):
        await until(lambda: told(caplog) == EXPECTED)


@pytest.mark.usefixtures("imported")
async def test_a_blocking_bus_does_so_too(caplog: pytest.LogCaptureFixture) -> None:
    async with running(users()):
        with BlockingBus(private_redis_url(), check_contracts=True):
            await until(lambda: told(caplog) == EXPECTED)


shop = Daebus("shop", settings=Settings(check_contracts=True))


@shop.action("show")
async def show(*, bus: Bus) -> str:
    return (await bus.call(GET_USER, Query("a"))).name


async def test_a_service_checks_what_its_code_calls_once_that_service_runs(caplog: pytest.LogCaptureFixture) -> None:
    async with running(shop):
        assert told(caplog) == set()
        async with running(users()):
            await until(lambda: "action get_user, reply.name" in told(caplog))


async def test_nothing_is_checked_where_nobody_asks_for_it(caplog: pytest.LogCaptureFixture) -> None:
    async with running(users()), Bus(private_redis_url()) as bus:
        assert await bus.call(SAME, Query("a")) == User("a", "")
    assert told(caplog) == set()
