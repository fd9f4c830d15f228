"""The table of docs/guide.md, "What is refused": each of 60 attempts at each door ends as it says."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import msgspec
from tests.support import closed, until
from websockets.exceptions import ConnectionClosed, InvalidStatus

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
KEY, OTHER, OLD, SIGNING = "k" * 32, "o" * 32, "r" * 32, "s" * 32
SERVER = RedisServer.from_url(private_redis_url())
AT_ONCE = 16


class User(msgspec.Struct):
    id: str
    role: str = "member"
    until: float | None = None


async def find_user(credentials: Credentials) -> User | None:
    if credentials.scheme != "bearer":
        return None
    try:
        claims = jwt.decode(credentials.token, KEY, ["HS256"], audience="shop")
    except jwt.InvalidTokenError:
        return None
    match claims["sub"]:
        case "away":
            raise Unavailable("The users are away")
        case "broken":
            raise ValueError("a mistake")
        case "revoked":
            return None
        case name:
            return User(name, claims.get("role", "member"), claims.get("until"))


def until_of(user: User) -> datetime | None:
    return None if user.until is None else datetime.fromtimestamp(user.until, UTC)


def is_member(user: User) -> bool:
    if user.role == "broken":
        raise ValueError("the guard fails")
    return user.role == "member"


class Container(ServiceContainer):
    user = Identity(find_user, expires=until_of)


WHO = Action[str, str]("who", service="shop")
WHOLE = StreamAction[str, str]("whole", service="shop")
NOTED = Channel[str]("noted", durable=True)


class Shop:
    """The service with five doors, and four more to its actions; each says who the user is."""

    def __init__(self) -> None:
        self.heard: dict[str, str] = {}
        keys = SigningKeys(services={"gateway": [SIGNING, OLD], "shop": [OTHER]})
        app = self.app = Daebus("shop", container=Container(), settings=Settings(signing_keys=keys))
        app.attach(DaebusHttp(port=0))
        app.attach(DaebusWebSocket())

        @app.route("/who", methods=["POST"], requires=is_member)
        async def over_http(*, user: User) -> str:
            return user.id

        @app.action(WHO, requires=is_member, http="POST /door", socket="door", tool=True)
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


def token(key: str = KEY, algorithm: str = "HS256", **changed: object) -> str:
    """An access token of Ada; None: without a claim."""
    claims: dict[str, object] = {"sub": "ada", "aud": "shop", "exp": int(time.time()) + 60}
    given = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(given, key, algorithm)


def bearer(text: str, **headers: str) -> Headers:
    return {"authorization": f"Bearer {text}", **{name.replace("_", "-"): value for name, value in headers.items()}}


def claims_at(door: str, text: str, changed: Mapping[str, object]) -> bytes:
    """What the gateway says about the user of a message at a door; None: without a claim."""
    audience = {"stream": "action shop whole", "listener": "channel noted"}.get(door, "action shop who")
    now = int(time.time())
    claims: dict[str, object] = {"iss": "gateway", "aud": audience, "iat": now, "exp": now + 60}
    claims |= {"usr": {"id": "ada"}, "dig": digest(msgspec.json.encode(text))}
    return msgspec.json.encode({name: value for name, value in {**claims, **changed}.items() if value is not None})


def tampered(made: str, other: str) -> str:
    """A token with the claims of another one."""
    begin, _, end = made.split(".")
    return f"{begin}.{other.split('.')[1]}.{end}"


class At:
    """A message at a door. Its headers are made late, as tokens expire.

    Args:
        door: The door.
        text: The payload.
        origin: The origin of the service's own pages.
    """

    def __init__(self, door: str, text: str, origin: str) -> None:
        self.door, self.text, self.origin = door, text, origin

    def said(self, key: str = SIGNING, **changed: object) -> Headers:
        """The user as another service sends it, signed for this message."""
        return {"daebus-user": signed(claims_at(self.door, self.text, changed), key.encode())}

    def unsigned(self) -> Headers:
        return {"daebus-user": unsigned(claims_at(self.door, self.text, {}))}

    def tampered(self) -> Headers:
        root = self.said(usr={"id": "root"})["daebus-user"]
        return {"daebus-user": tampered(self.said()["daebus-user"], root)}


ATTEMPTS: dict[str, Callable[[At], Headers]] = {
    "a valid token": lambda _: bearer(token()),
    "a valid token, the scheme in lower case": lambda _: {"authorization": f"bearer {token()}"},
    "a valid token after several spaces": lambda _: {"authorization": f"Bearer   {token()}"},
    "no token": lambda _: {},
    "an empty token": lambda _: {"authorization": "Bearer"},
    "the scheme Basic": lambda _: {"authorization": f"Basic {token()}"},
    "a token without a scheme": lambda _: {"authorization": token()},
    "a token in a cookie": lambda _: {"cookie": f"token={token()}"},
    "a token in another header": lambda _: {"x-authorization": f"Bearer {token()}"},
    "a token for a proxy": lambda _: {"proxy-authorization": f"Bearer {token()}"},
    "text that is not a token": lambda _: bearer("x" * 4_000),
    "two tokens": lambda _: {"authorization": f"Bearer {token()}, Bearer {token()}"},
    "a forged token": lambda _: bearer(token(OTHER)),
    "a token that is not signed": lambda _: bearer(jwt.encode({"sub": "ada", "aud": "shop"}, "", "none")),
    "a token with replaced claims": lambda _: bearer(tampered(token(), token(sub="root"))),
    "a token with a part cut off": lambda _: bearer(token()[:-4]),
    "a token of another algorithm": lambda _: bearer(token("k" * 64, "HS512")),
    "an expired token": lambda _: bearer(token(exp=int(time.time()) - 1)),
    "a token that is not valid yet": lambda _: bearer(token(nbf=int(time.time()) + 60)),
    "a token for another service": lambda _: bearer(token(aud="bank")),
    "a token for no service": lambda _: bearer(token(aud=None)),
    "a revoked token": lambda _: bearer(token(sub="revoked")),
    "a user who has expired": lambda _: bearer(token(until=time.time() - 1)),
    "a wrong role": lambda _: bearer(token(role="guest")),
    "a guard that fails": lambda _: bearer(token(role="broken")),
    "the users cannot be looked up": lambda _: bearer(token(sub="away")),
    "find_user fails": lambda _: bearer(token(sub="broken")),
    "a page of this site, with a valid token": lambda at: bearer(token(), origin=at.origin),
    "a page of this site, without a token": lambda at: {"origin": at.origin},
    "a page of another site, with a valid token": lambda _: bearer(token(), origin="https://evil.example"),
    "a page of another site, without a token": lambda _: {"origin": "https://evil.example"},
    "a page without an origin, with a valid token": lambda _: bearer(token(), origin="null"),
    "a page of a neighbour, with a valid token": lambda _: bearer(
        token(), origin="http://shop.127.0.0.1.example", sec_fetch_site="same-site"
    ),
    "daebus-user, signed": lambda at: at.said(),
    "daebus-user, signed with a key that is being replaced": lambda at: at.said(OLD),
    "daebus-user, signed, and a token of another user": lambda at: at.said() | bearer(token(sub="bob")),
    "daebus-user, signed, and an expired token": lambda at: at.said() | bearer(token(exp=int(time.time()) - 1)),
    "daebus-user, signed, and an empty authorization": lambda at: at.said() | {"authorization": ""},
    "daebus-user, forged, and a valid token": lambda at: at.said(OTHER) | bearer(token()),
    "daebus-user, signed, with a wrong role": lambda at: at.said(usr={"id": "ada", "role": "guest"}),
    "daebus-user, signed, for whom a guard fails": lambda at: at.said(usr={"id": "ada", "role": "broken"}),
    "daebus-user, not signed": lambda at: at.unsigned(),
    "daebus-user, forged": lambda at: at.said(OTHER),
    "daebus-user, with replaced claims": lambda at: at.tampered(),
    "daebus-user, empty": lambda _: {"daebus-user": ""},
    "daebus-user, no token": lambda _: {"daebus-user": "a.b"},
    "daebus-user, signed by a service for another one": lambda at: at.said(iss="shop"),
    "daebus-user, signed by an unknown service": lambda at: at.said(iss="nobody"),
    "daebus-user, copied from another message": lambda at: at.said(dig=digest(b'"y"')),
    "daebus-user, copied from another action": lambda at: at.said(aud="action shop pay"),
    "daebus-user, copied from another channel": lambda at: at.said(aud="channel who"),
    "daebus-user, for any message": lambda at: at.said(dig=None),
    "daebus-user, expired": lambda at: at.said(exp=int(time.time()) - 1),
    "daebus-user, without an end": lambda at: at.said(exp=None),
    "daebus-user, without a user": lambda at: at.said(usr=None),
    "daebus-user, of another type": lambda at: at.said(usr={"name": "ada"}),
}

RENEWALS: dict[str, Callable[[], str]] = {
    "on a connection: a new token": token,
    "on a connection: an expired token": lambda: token(exp=int(time.time()) - 1),
    "on a connection: a token of another user": lambda: token(sub="bob"),
    "on a connection: a forged token": lambda: token(OTHER),
}
"""What a WebSocket client sends after a while, which has come with a valid token."""


def code_in(answer: httpx.Response) -> str:
    return str(answer.json()["code"])


async def at_route(service: RunningService, headers: Headers, _: str) -> str:
    answer = await service.http.post("/who", headers=headers)
    return answer.text if answer.status_code in (200, 201) else code_in(answer)


async def at_action(service: RunningService, headers: Headers, text: str) -> str:
    return await service.call(WHO, text, headers=headers)


async def at_stream(service: RunningService, headers: Headers, text: str) -> str:
    return " ".join([item async for item in service.stream(WHOLE, text, headers=headers)])


async def at_socket(service: RunningService, headers: Headers, _: str, asked: str = "who") -> str:
    try:
        async with service.socket(headers=headers) as socket:
            return await _ask(socket, asked)
    except InvalidStatus as error:
        return {401: "unauthorized", 403: "forbidden"}[error.response.status_code]


async def at_socket_door(service: RunningService, headers: Headers, text: str) -> str:
    return await at_socket(service, headers, text, "door")


async def at_http_door(service: RunningService, headers: Headers, text: str) -> str:
    answer = await service.http.post("/door", headers=headers, json=text)
    return str(answer.json()) if answer.status_code == 200 else code_in(answer)


async def at_sse_door(service: RunningService, headers: Headers, text: str) -> str:
    answer = await service.http.get(f"/events/{text}", headers=headers)
    if answer.status_code != 200:
        return code_in(answer)
    return str(msgspec.json.decode(answer.text.removeprefix("data: ").partition("\n")[0]))


async def at_tool(service: RunningService, headers: Headers, text: str) -> str:
    given = {"name": "who", "arguments": {"value": text}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": given}
    accepted = {"accept": "application/json, text/event-stream"}
    answer = await service.http.post("/mcp", headers={**headers, **accepted}, json=call)
    if answer.status_code != 200:
        return code_in(answer)
    result = msgspec.json.decode(answer.text.partition("data: ")[2])["result"]
    told = str(result["content"][0]["text"])
    return str(msgspec.json.decode(told)["code"]) if result["isError"] else str(result["structuredContent"]["result"])


async def _ask(socket: Socket, asked: str = "who") -> str:
    answer = await socket.ask(asked, "x" if asked == "door" else None)
    found = msgspec.json.decode(answer.data)
    return str(found["code"]) if answer.type == "error" else str(found)


Door = Callable[[RunningService, Headers, str], Awaitable[str]]
DOORS: dict[str, Door] = {
    "route": at_route,
    "action": at_action,
    "stream": at_stream,
    "socket": at_socket,
    "tool": at_tool,
    "http=": at_http_door,
    "socket=": at_socket_door,
    "sse=": at_sse_door,
}
SAME = {"http=": "route", "socket=": "socket", "sse=": "route"}
"""The column for the doors of actions."""

Column = dict[str, str]


async def tried_at(door: str, service: RunningService) -> Column:
    """How each attempt ends at a door."""
    turns = asyncio.Semaphore(AT_ONCE)
    origin = f"http://127.0.0.1:{service.ports['http']}"

    async def outcome(make: Callable[[At], Headers]) -> str:
        async with turns:
            try:
                return await DOORS[door](service, make(At(door, "x", origin)), "x")
            except ServiceError as error:
                return error.code

    return dict(zip(ATTEMPTS, await asyncio.gather(*map(outcome, ATTEMPTS.values())), strict=True))


async def tried_at_listener(service: RunningService, shop: Shop) -> Column:
    """Who was heard, or the code of the dead letter that the event became; each attempt is an event of its own."""
    origin = f"http://127.0.0.1:{service.ports['http']}"
    for name, make in ATTEMPTS.items():
        await service.publish(NOTED, name, headers=make(At("listener", name, origin)))
    refused: Column = {}
    async with open_node(SERVER) as node:
        letters = DeadLetters(node, "shop")

        async def have_ended() -> bool:
            async for letter in letters.all():
                refused[str(msgspec.json.decode(letter.body))] = letter.code
            return len(shop.heard) + len(refused) == len(ATTEMPTS)

        await until(have_ended, 60)
    return {name: shop.heard.get(name) or refused[name] for name in ATTEMPTS}


async def renewed(service: RunningService) -> Column:
    """Who a WebSocket client is after it has sent another token, or the code with which it is disconnected."""
    found: Column = {}
    for name, make in RENEWALS.items():
        async with service.socket(headers=bearer(token())) as socket:
            assert await _ask(socket) == "ada"
            await socket.send("authenticate", {"token": make()}, message_id="login")
            is_taken = (await socket.receive()).type == "response"
            found[name] = await _ask(socket) if is_taken else str((await closed(socket.connection))[0])
    return found


def documented() -> dict[str, Column]:
    """The columns of the table."""
    section = GUIDE.read_text().partition("### What is refused\n")[2].partition("\n#")[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    heads, _, *rows = [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]
    return {head: {row[0]: row[column] for row in rows} for column, head in enumerate(heads) if column}


async def test_each_attempt_ends_as_the_guide_says() -> None:
    shop = Shop()
    async with running(shop.app) as service:
        found = {door: await tried_at(door, service) for door in DOORS}
        found["listener"] = await tried_at_listener(service, shop)
        on_sockets = await renewed(service)
    table = documented()
    rows = {*ATTEMPTS, *RENEWALS}
    assert set(table["route"]) == rows
    assert len(rows) == 60
    for door, column in found.items():
        expected = {name: table[SAME.get(door, door)][name] for name in ATTEMPTS}
        if door == "sse=":  # a GET is no danger: a page of another site cannot read the answer
            expected |= {name: table["stream"][name] for name in ATTEMPTS if name.startswith("a page ")}
        assert column == expected, door
    assert on_sockets == {name: table["socket"][name] for name in RENEWALS}
    assert {table[door][name] for door in table if door != "socket" for name in RENEWALS} == {""}


async def test_a_message_right_after_the_token_of_another_user_is_not_of_that_user() -> None:
    shop = Shop()
    async with running(shop.app) as service, service.socket(headers=bearer(token())) as socket:
        assert await _ask(socket) == "ada"
        await socket.send("authenticate", {"token": token(sub="bob")})
        await socket.send("who", message_id=1)
        told = b""
        with suppress(ConnectionClosed):
            while True:
                told += (await socket.receive()).data
        assert b"bob" not in told


async def test_nothing_of_an_earlier_connection_is_kept() -> None:
    shop = Shop()
    async with running(shop.app) as service, service.socket(headers=bearer(token())) as socket:
        assert await _ask(socket) == "ada"
        await socket.send("authenticate", {"token": token(sub="bob")})
        assert (await closed(socket.connection))[0] == 4401
        async with service.socket(headers=bearer(token(sub="bob"))) as other:
            assert await _ask(other) == "bob"
            assert await _ask(other, "door") == "bob"
