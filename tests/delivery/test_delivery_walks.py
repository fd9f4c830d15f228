"""How many of daebus' own functions a message passes through, on a warm path: this may shrink, not grow."""

from __future__ import annotations

import json

import httpx
import msgspec
import pytest
from dependency_injector import providers
from tests.walks import walks

from daebus import Daebus, DaebusHttp, DaebusWebSocket, ServiceContainer
from daebus.testing import running


class User(msgspec.Struct):
    id: int
    name: str


class Users:
    def find(self, user_id: int) -> User:
        return User(user_id, "Ada")


class Container(ServiceContainer):
    users = providers.Singleton(Users)


def shop() -> Daebus[Container]:
    app = Daebus("walks", container=Container())
    app.attach(DaebusHttp(port=0))

    @app.route("/users/<user_id>")
    async def get_user(user_id: int, verbose: bool = False, *, users: Users) -> User:
        return users.find(user_id)

    @app.route("/users", methods=["POST"])
    async def add_user(data: User) -> User:
        return data

    return app


@pytest.mark.parametrize(
    ("method", "url", "sent", "status", "most"),
    [
        ("GET", "/users/7?verbose=true", None, 200, 18),
        ("GET", "/users/7?verbose=maybe", None, 400, 40),
        ("POST", "/users", b'{"id": 7, "name": "Ada"}', 200, 26),
    ],
)
async def test_an_http_request(
    caplog: pytest.LogCaptureFixture, method: str, url: str, sent: bytes | None, status: int, most: int
) -> None:
    caplog.set_level("WARNING", "httpx")  # its lines would pass through our logging
    with walks() as counting:
        async with running(shop()) as service, httpx.AsyncClient(base_url=service.http.base_url) as client:

            async def ask() -> None:
                response = await client.request(
                    method, url, content=sent, headers={"content-type": "application/json"} if sent else None
                )
                assert response.status_code == status

            walk = await counting.of(ask)
    assert len(walk) <= most, repr(walk)


async def test_a_websocket_message_from_the_bytes_that_arrive_to_those_of_its_answer() -> None:
    app = Daebus("walks", container=Container())
    app.attach(DaebusWebSocket(port=0))

    @app.socket("rename")
    async def rename(data: User, *, users: Users) -> User:
        return data

    with walks() as counting:
        async with running(app) as service, service.socket() as client:

            async def ask() -> None:
                await client.connection.send('{"type":"rename","data":{"id":7,"name":"Ada"},"id":"a1"}')
                answer = json.loads(await client.connection.recv())
                assert answer == {"type": "response", "data": {"id": 7, "name": "Ada"}, "id": "a1"}

            walk = await counting.of(ask)
    assert len(walk) <= 15, repr(walk)
