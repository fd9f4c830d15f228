"""The table of docs/guide.md, "What is refused": each attempt at each door ends as it says."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import jwt
import msgspec
import pytest
from dependency_injector import providers
from tests.support import closed
from websockets.exceptions import InvalidStatus

from daebus import (
    Action,
    Channel,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    ServiceContainer,
    Settings,
    SigningKeys,
    StreamAction,
)
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.signing import digest, signed, unsigned
from daebus.errors import ServiceError, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.testing import RunningService, Socket, private_redis_url, running

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
KEY, OTHER, SIGNING = "k" * 32, "o" * 32, "s" * 32
SERVER = RedisServer.from_url(private_redis_url())


class User(msgspec.Struct):
    id: str
    role: str = "member"


class Revoked:
    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.is_away = self.fails = False


async def find_user(credentials: Credentials, revoked: Revoked) -> User | None:
    if revoked.is_away:
        raise Unavailable("The users are away")
    if revoked.fails:
        raise ValueError("a mistake")
    if credentials.scheme != "bearer" or credentials.token in revoked.tokens:
        return None
    try:
        claims = jwt.decode(credentials.token, KEY, ["HS256"], audience="shop")
    except jwt.InvalidTokenError:
        return None
    return User(claims["sub"], claims.get("role", "member"))


def is_member(user: User) -> bool:
    if user.role == "broken":
        raise ValueError("the guard fails")
    return user.role == "member"


class Container(ServiceContainer):
    revoked = providers.Singleton(Revoked)
    user = Identity(find_user, revoked=revoked)


WHO = Action[str, str]("who", service="shop")
WHOLE = StreamAction[str, str]("whole", service="shop")
NOTED = Channel[str]("noted", durable=True)


class Shop:
    """The service with five doors, and three more to its actions; each says who the user is."""

    def __init__(self) -> None:
        self.heard: dict[str, str] = {}
        settings = Settings(signing_keys=SigningKeys(services={"gateway": [SIGNING], "shop": [OTHER]}))
        app = self.app = Daebus("shop", container=Container(), settings=settings)
        app.attach(DaebusHttp(port=0))
        app.attach(DaebusWebSocket())

        @app.route("/who", methods=["POST"], requires=is_member)
        async def over_http(*, user: User) -> str:
            return user.id

        @app.action(WHO, requires=is_member, http="POST /door", socket="door")
        async def who(_: str, *, user: User) -> str:
            return user.id

        @app.action(WHOLE, requires=is_member, sse="GET /events/<text>")
        async def whole(text: str, *, user: User) -> AsyncIterator[str]:
            yield user.id

        @app.listen(NOTED, retries=0, requires=is_member)
        async def noted(text: str, *, user: User) -> None:
            self.heard[text] = user.id

        @app.socket("who", requires=is_member)
        async def over_socket(*, user: User) -> str:
            return user.id


Headers = dict[str, str]


def token(key: str = KEY, **changed: object) -> str:
    """An access token of Ada."""
    claims: dict[str, object] = {"sub": "ada", "aud": "shop", "exp": int(time.time()) + 60}
    return jwt.encode(claims | changed, key, "HS256")


def bearer(text: str) -> Headers:
    return {"authorization": f"Bearer {text}"}


def said(door: str, key: str = SIGNING, **changed: object) -> Headers:
    """The user as another service sends it, signed for a message at this door."""
    audience = {"stream": "action shop whole", "listener": "channel noted"}.get(door, "action shop who")
    now = int(time.time())
    claims: dict[str, object] = {"iss": "gateway", "aud": audience, "iat": now, "exp": now + 60}
    claims |= {"usr": {"id": "ada"}, "dig": digest(b'"x"')}
    return {"daebus-user": signed(msgspec.json.encode(claims | changed), key.encode())}


ATTEMPTS: dict[str, Callable[[str], Headers]] = {
    "a valid token": lambda _: bearer(token()),
    "a valid token, the scheme in lower case": lambda _: {"authorization": f"bearer {token()}"},
    "no token": lambda _: {},
    "an empty token": lambda _: {"authorization": "Bearer"},
    "the scheme Basic": lambda _: {"authorization": f"Basic {token()}"},
    "text that is not a token": lambda _: bearer("x" * 4_000),
    "a forged token": lambda _: bearer(token(OTHER)),
    "a token that is not signed": lambda _: bearer(jwt.encode({"sub": "ada", "aud": "shop"}, "", "none")),
    "an expired token": lambda _: bearer(token(exp=int(time.time()) - 1)),
    "a token for another service": lambda _: bearer(token(aud="bank")),
    "a revoked token": lambda _: bearer(token(sub="revoked")),
    "two tokens": lambda _: {"authorization": f"Bearer {token()}, Bearer {token()}"},
    "a wrong role": lambda _: bearer(token(role="guest")),
    "a guard that fails": lambda _: bearer(token(role="broken")),
    "the users cannot be looked up": lambda _: bearer(token()),
    "find_user fails": lambda _: bearer(token()),
    "a page of another site, with a valid token": lambda _: bearer(token()) | {"origin": "https://evil.example"},
    "daebus-user, signed": said,
    "daebus-user, signed, and a token of another user": lambda door: said(door) | bearer(token(sub="bob")),
    "daebus-user, not signed": lambda _: {
        "daebus-user": unsigned(b'{"iss":"gateway","aud":"","iat":0,"usr":{"id":"a"}}')
    },
    "daebus-user, forged": lambda door: said(door, OTHER),
    "daebus-user, signed by a service for another one": lambda door: said(door, iss="shop"),
    "daebus-user, copied from another message": lambda door: said(door, dig=digest(b'"y"')),
    "daebus-user, copied from another action": lambda door: said(door, aud="action shop pay"),
    "daebus-user, expired": lambda door: said(door, exp=int(time.time()) - 1),
}


async def at_route(service: RunningService, headers: Headers, _: Shop) -> str:
    answer = await service.http.post("/who", headers=headers)
    return answer.text if answer.status_code in (200, 201) else str(answer.json()["code"])


async def at_action(service: RunningService, headers: Headers, _: Shop) -> str:
    return await service.call(WHO, "x", headers=headers)


async def at_stream(service: RunningService, headers: Headers, _: Shop) -> str:
    return " ".join([item async for item in service.stream(WHOLE, "x", headers=headers)])


async def at_listener(service: RunningService, headers: Headers, shop: Shop) -> str:
    shop.heard.clear()
    await service.publish(NOTED, "x", headers=headers)
    async with open_node(SERVER) as node:
        letters = DeadLetters(node, "shop")
        while "x" not in shop.heard:
            async for letter in letters.all():
                await letters.drop(letter)
                return letter.code
            await asyncio.sleep(0.01)
    return shop.heard["x"]


async def at_socket(service: RunningService, headers: Headers, _: Shop, asked: str = "who") -> str:
    try:
        async with service.socket(headers=headers) as socket:
            return await _ask(socket, asked)
    except InvalidStatus as error:
        return {401: "unauthorized", 403: "forbidden"}[error.response.status_code]


async def at_socket_door(service: RunningService, headers: Headers, shop: Shop) -> str:
    return await at_socket(service, headers, shop, "door")


async def at_http_door(service: RunningService, headers: Headers, _: Shop) -> str:
    answer = await service.http.post("/door", headers=headers, json="x")
    return str(answer.json() if answer.status_code == 200 else answer.json()["code"])


async def at_sse_door(service: RunningService, headers: Headers, _: Shop) -> str:
    answer = await service.http.get("/events/x", headers=headers)
    if answer.status_code != 200:
        return str(answer.json()["code"])
    return str(msgspec.json.decode(answer.text.removeprefix("data: ").partition("\n")[0]))


async def _ask(socket: Socket, asked: str = "who") -> str:
    answer = await socket.ask(asked, "x" if asked == "door" else None)
    found = msgspec.json.decode(answer.data)
    return str(found["code"]) if answer.type == "error" else str(found)


Door = Callable[[RunningService, Headers, Shop], Awaitable[str]]
DOORS: dict[str, Door] = {
    "route": at_route,
    "action": at_action,
    "stream": at_stream,
    "listener": at_listener,
    "socket": at_socket,
    "http=": at_http_door,
    "socket=": at_socket_door,
    "sse=": at_sse_door,
}
SAME = {"http=": "route", "socket=": "socket", "sse=": "route"}
"""The column for the doors of actions."""


def documented(door: str) -> dict[str, str]:
    """A column of the table."""
    section = GUIDE.read_text().partition("### What is refused\n")[2].partition("\n#")[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    rows = [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]
    heads = rows[0]
    return {row[0]: row[heads.index(SAME.get(door, door))] for row in rows[2:]}


@pytest.mark.parametrize("door", DOORS)
async def test_each_attempt_ends_as_the_guide_says(door: str) -> None:
    shop = Shop()
    found: dict[str, str] = {}
    async with running(shop.app) as service:
        revoked = shop.app.container.revoked()
        for name, headers_for in ATTEMPTS.items():
            headers = headers_for(door)
            revoked.tokens = {headers["authorization"].partition(" ")[2]} if name == "a revoked token" else set()
            revoked.is_away, revoked.fails = name == "the users cannot be looked up", name == "find_user fails"
            try:
                found[name] = await DOORS[door](service, headers, shop)
            except ServiceError as error:
                found[name] = error.code
    expected = documented(door)
    if door == "sse=":  # a GET is no danger: a page of another site cannot read the answer
        expected["a page of another site, with a valid token"] = "ada"
    assert len(expected) == len(ATTEMPTS)
    assert found == expected


async def test_a_user_that_expires_in_mid_connection_is_refused_at_the_door_of_an_action_too() -> None:
    shop = Shop()
    async with running(shop.app) as service, service.socket(headers=bearer(token())) as socket:
        assert await _ask(socket, "door") == "ada"
        await socket.send("authenticate", {"token": token(exp=int(time.time()) - 1)})
        assert (await closed(socket.connection))[0] == 4401


async def test_a_token_that_is_revoked_counts_for_the_connection_and_no_message_after_it() -> None:
    shop = Shop()
    async with running(shop.app) as service, service.socket(headers=bearer(token())) as socket:
        assert await _ask(socket) == "ada"
        await socket.send("authenticate", {"token": token(sub="bob")})  # the session of another user
        assert (await closed(socket.connection))[0] == 4401
        async with service.socket(headers=bearer(token(sub="bob"))) as other:
            assert await _ask(other) == "bob"  # nothing of the earlier connection
