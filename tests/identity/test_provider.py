from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import assert_type

import msgspec
import pytest
from dependency_injector import providers

from daebus import (
    Action,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    PerMessage,
    ServiceContainer,
)
from daebus.errors import Unauthorized, WiringError
from daebus.testing import running


class User(msgspec.Struct):
    id: str
    until: datetime | None = None


class Tokens:
    """The known tokens, and how often one was looked up."""

    def __init__(self) -> None:
        self.users = {"ada": User("ada"), "bob": User("bob")}
        self.asked: list[tuple[str, str, str]] = []

    def find(self, credentials: Credentials) -> User | None:
        self.asked.append((credentials.source, credentials.scheme, credentials.token))
        return self.users.get(credentials.token)


async def find_user(credentials: Credentials, tokens: Tokens) -> User | None:
    return tokens.find(credentials)


def find_user_sync(credentials: Credentials, tokens: Tokens) -> User | None:
    return tokens.find(credentials)


def user_until(user: User) -> datetime | None:
    return user.until


class Basket:
    def __init__(self, owner: User) -> None:
        self.owner = owner


opened: list[str] = []


async def open_session() -> AsyncIterator[str]:
    opened.append("session")
    yield "session"


class Container(ServiceContainer):
    tokens = providers.Singleton(Tokens)
    user = Identity(find_user, tokens=tokens, expires=user_until)
    plain_user = Identity(find_user_sync, tokens)
    basket = providers.Factory(Basket, user)
    session = PerMessage(open_session)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def shop() -> Daebus[Container]:
    app = Daebus("shop", container=Container())
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @app.route("/me")
    async def me(*, user: User, basket: Basket) -> str:
        assert basket.owner is user
        return user.id

    @app.route("/sync")
    def me_sync(*, plain_user: User) -> str:
        return plain_user.id

    @app.route("/async-of-sync")
    async def me_async_of_sync(*, plain_user: User) -> str:
        return plain_user.id

    @app.route("/sync-of-async")
    def me_sync_of_async(*, user: User) -> str:
        return user.id

    @app.route("/session")
    async def with_session(*, session: str, user: User) -> str:
        return session + user.id

    @app.route("/look")
    async def look(*, user: User | None) -> str:
        return "a stranger" if user is None else user.id

    @app.action("me")
    async def me_on_the_bus(*, user: User) -> str:
        return user.id

    @app.socket("me")
    async def me_on_a_socket(*, user: User) -> str:
        return user.id

    @app.socket("look")
    async def look_on_a_socket(*, user: User | None) -> str:
        return "a stranger" if user is None else user.id

    return app


ME = Action[None, str]("me", service="shop")


async def test_a_route_knows_who_has_sent_the_request() -> None:
    async with running(shop()) as service:
        for path in ("/me", "/sync", "/async-of-sync", "/sync-of-async", "/look"):
            answer = await service.http.get(path, headers=bearer("ada"))
            assert (answer.status_code, answer.text) == (200, "ada"), path


@pytest.mark.parametrize("headers", [{}, bearer("nobody"), {"authorization": "Bearer"}, {"authorization": ""}])
async def test_strangers_are_refused_unless_the_handler_lets_them_in(headers: dict[str, str]) -> None:
    opened.clear()
    async with running(shop()) as service:
        for path in ("/me", "/sync", "/async-of-sync", "/sync-of-async", "/session"):
            refused = await service.http.get(path, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized"), path
        assert opened == []  # nothing is opened for a stranger
        looked = await service.http.get("/look", headers=headers)
    assert looked.text == "a stranger"


async def test_an_action_knows_who_has_called() -> None:
    app = shop()
    async with running(app) as service:
        assert await service.call(ME, headers=bearer("bob")) == "bob"
        with pytest.raises(Unauthorized):
            await service.call(ME)
        assert app.container.tokens().asked == [("bus", "bearer", "bob"), ("bus", "", "")]


async def test_a_socket_asks_once_a_connection() -> None:
    app = shop()
    async with running(app) as service:
        async with service.socket(headers=bearer("ada")) as socket:
            for _ in range(3):
                assert msgspec.json.decode((await socket.ask("me")).data) == "ada"
        assert app.container.tokens().asked == [("socket", "bearer", "ada")]
        async with service.socket() as socket:
            assert (await socket.ask("me")).type == "error"
            assert msgspec.json.decode((await socket.ask("look")).data) == "a stranger"


async def test_overrides_replace_the_user_for_all_handlers() -> None:
    app = shop()
    async with running(app) as service:
        with service.override(user=User("fake")):
            assert (await service.http.get("/look")).text == "fake"
            assert (await service.http.get("/me")).text == "fake"
        assert (await service.http.get("/look")).text == "a stranger"


def test_what_nobody_sends_has_no_user() -> None:
    app = Daebus("shop", container=Container())

    @app.background("clean", 60)
    async def clean_up(*, user: User) -> None: ...  # type: ignore[daebus-wiring]

    @app.on_start()
    async def warm_up(*, basket: Basket) -> None: ...

    with pytest.raises(WiringError, match="so it has no user") as caught:
        app.check("shop")
    assert [problem.code for problem in caught.value.problems] == ["no-sender", "no-sender"]


def test_a_user_of_another_type_is_refused() -> None:
    app = Daebus("shop", container=Container())

    @app.action("me")
    async def me(*, user: Basket) -> None: ...  # type: ignore[daebus-wiring]

    with pytest.raises(WiringError, match="the provider 'user' of Container gives User"):
        app.check("shop")


def test_a_singleton_must_not_keep_a_user() -> None:
    class Keeping(ServiceContainer):
        tokens = providers.Singleton(Tokens)
        user = Identity(find_user, tokens=tokens)
        basket = providers.Singleton(Basket, user)  # type: ignore[daebus-wiring]

    with pytest.raises(WiringError, match="lives as long as the service, but keeps the per-message object"):
        Daebus("shop", container=Keeping())


def test_a_lambda_beside_the_function_leaves_the_type_of_the_user_known() -> None:
    async def find(_: Credentials) -> User | None:
        return None

    def find_sync(_: Credentials) -> User | None:
        return None

    assert_type(Identity(find, expires=lambda _: None), Identity[User])
    assert_type(Identity(find_sync, expires=lambda user: user.until), Identity[User])
    assert_type(Identity(find, subject=lambda user: user.id, forward=False), Identity[User])
