"""Logins of the user service, as its users see them: two replicas, on ports of their own."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack
from statistics import median

import httpx
import jwt
import pytest
from tests.examples.test_users import TARGET, showing
from tests.processes import Service, serving
from tests.support import closed
from user_service.contracts import LOGOUT, RENAME_ME, Rename
from user_service.sessions import ALGORITHM
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from daebus import Bus
from daebus.errors import Unauthorized

PASSWORD = "secret word"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def replicas(redis_url: str) -> Generator[list[Service]]:
    """Two replicas whose access tokens are valid for 2 s."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                serving(
                    TARGET,
                    "--service",
                    "user_service",
                    redis_url=redis_url,
                    USERS_ACCESS_SECONDS="2",
                    USERS_PREFIX="logins",
                    USERS_LOGIN_ATTEMPTS="5",
                )
            )
            for _ in range(2)
        ]


@pytest.fixture
async def here(replicas: list[Service]) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=replicas[0].url) as client:
        yield client


@pytest.fixture
async def there(replicas: list[Service]) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=replicas[1].url) as client:
        yield client


async def new_user(http: httpx.AsyncClient) -> str:
    email = f"login{next(_numbers)}@example.com"
    assert (await http.post("/api/users", json={"email": email, "password": PASSWORD})).status_code == 201
    return email


async def try_login(http: httpx.AsyncClient, email: str, password: str = "wrong password") -> tuple[int, str]:
    answer = await http.post("/api/auth/login", json={"email": email, "password": password})
    return answer.status_code, answer.json().get("detail", "")


async def log_in(http: httpx.AsyncClient, email: str) -> dict[str, str]:
    answer = await http.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def refresh(http: httpx.AsyncClient, tokens: dict[str, str]) -> dict[str, str] | int:
    answer = await http.post("/api/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    renewed: dict[str, str] = answer.json()
    return renewed if answer.status_code == 200 else answer.status_code


async def me(http: httpx.AsyncClient, token: str) -> str | int:
    """The email of the owner, or the status."""
    answer = await http.get("/api/me", headers=bearer(token))
    return str(answer.json()["email"]) if answer.status_code == 200 else answer.status_code


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_a_login_at_one_replica_is_known_at_the_other_and_on_the_bus(
    here: httpx.AsyncClient, there: httpx.AsyncClient, bus: Bus
) -> None:
    email = await new_user(here)
    token = (await log_in(here, email))["access_token"]
    assert await me(there, token) == email
    renamed = await bus.call(RENAME_ME, Rename("Ada"), headers=bearer(token))
    assert (renamed.email, renamed.name) == (email, "Ada")


async def test_a_wrong_password_and_an_unknown_name_look_the_same(here: httpx.AsyncClient) -> None:
    async def refused(email: str) -> float:
        start = time.perf_counter()
        assert await try_login(here, email) == (401, "Invalid email or password")
        return time.perf_counter() - start

    known, unknown = await new_user(here), f"nobody{next(_numbers)}@example.com"
    ratios = [await refused(known) / await refused(unknown) for _ in range(3)]
    assert 0.1 < median(ratios) < 10  # without a hash to check, one takes much longer than the other


async def test_logins_are_limited_over_all_replicas(here: httpx.AsyncClient, there: httpx.AsyncClient) -> None:
    email = await new_user(here)
    assert [(await try_login(http, email))[0] for http in (here, there, here)] == [401] * 3
    await log_in(there, email)  # the right password: it counts from 0 again
    assert [(await try_login(http, email))[0] for http in (here, there) * 3] == [401] * 5 + [429]
    assert (await try_login(there, email, PASSWORD))[0] == 429


@pytest.mark.parametrize("changed", ["key", "sub", "aud", "exp", "algorithm"])
async def test_a_forged_token_is_refused(here: httpx.AsyncClient, changed: str) -> None:
    email = await new_user(here)
    token = (await log_in(here, email))["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert await me(here, token) == email
    if changed == "exp":
        del claims["exp"]
    elif changed in claims:
        claims[changed] = "root"
    key, algorithm = ("", "none") if changed == "algorithm" else ("k" * 32, ALGORITHM)
    forged = jwt.encode(claims, key, algorithm)
    assert await me(here, forged) == 401
    header, _, signature = token.split(".")
    if changed in ("sub", "aud", "exp"):
        assert await me(here, ".".join([header, forged.split(".")[1], signature])) == 401


async def test_a_refresh_token_is_used_once(here: httpx.AsyncClient, there: httpx.AsyncClient) -> None:
    email = await new_user(here)
    first = await log_in(here, email)
    second = await refresh(there, first)
    assert isinstance(second, dict)
    assert await me(here, second["access_token"]) == email
    # Somebody has a copy of the first one: whoever it is, the session is over.
    assert await refresh(here, first) == 401
    assert await refresh(here, second) == 401
    assert await me(there, second["access_token"]) == 401


async def test_a_logout_is_one_everywhere(
    here: httpx.AsyncClient, there: httpx.AsyncClient, replicas: list[Service], bus: Bus
) -> None:
    tokens = await log_in(here, await new_user(here))
    token = tokens["access_token"]
    async with connect(replicas[1].sockets(), subprotocols=showing(token)) as socket:
        await welcome(socket)
        assert (await here.post("/api/auth/logout", headers=bearer(token))).status_code == 204
        assert await closed(socket) == (1000, "logged out")
    assert await me(there, token) == 401
    assert await refresh(there, tokens) == 401
    with pytest.raises(Unauthorized):
        await bus.call(LOGOUT, headers=bearer(token))


async def test_a_socket_shows_a_new_token_or_is_closed(
    here: httpx.AsyncClient, there: httpx.AsyncClient, replicas: list[Service]
) -> None:
    tokens = await log_in(here, await new_user(here))
    async with (
        connect(replicas[0].sockets(), subprotocols=[Subprotocol("daebus.authenticate")]) as kept,
        connect(replicas[1].sockets(), subprotocols=showing(tokens["access_token"])) as lost,
    ):
        await kept.send(authenticate(tokens["access_token"]))
        assert (await welcome(kept))["authenticated"] is True
        gone = asyncio.create_task(closed(lost))
        while not gone.done():
            tokens = await renewed(there, tokens)
            await kept.send(authenticate(tokens["access_token"]))
            assert await answer_of(kept, 1) == "response"
            await asyncio.wait({gone}, timeout=0.5)
        assert gone.result()[0] == 4401
        await kept.send('{"type":"rename_me","data":{"name":"Zoe"},"id":"last"}')
        assert await answer_of(kept, "last") == "response"


async def renewed(http: httpx.AsyncClient, tokens: dict[str, str]) -> dict[str, str]:
    found = await refresh(http, tokens)
    assert isinstance(found, dict)
    return found


def authenticate(token: str) -> str:
    return json.dumps({"type": "authenticate", "data": {"token": token}, "id": 1})


async def welcome(socket: ClientConnection) -> dict[str, object]:
    while (message := json.loads(await socket.recv()))["type"] != "response":
        pass
    told: dict[str, object] = message["data"]
    return told


async def answer_of(socket: ClientConnection, message_id: int | str) -> object:
    while (message := json.loads(await socket.recv())).get("id") != message_id:
        pass
    return message["type"]
