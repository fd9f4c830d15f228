"""Clients that say how long they wait: over HTTP and WebSocket, the handler has no more time than that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
import pytest

from daebus import Action, Bus, Context, Daebus, DaebusHttp, DaebusWebSocket
from daebus.asgi.timeouts import read_timeout
from daebus.errors import BadRequest
from daebus.testing import RunningService, running

FOREVER = 600
INNER = Action[None, float | None]("inner", service="deadlines")


def make_app(cancelled: list[str]) -> Daebus[Any]:
    app = Daebus("deadlines")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(FOREVER)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    @app.action(INNER)
    async def inner(context: Context) -> float | None:
        return context.remaining

    @app.action("left", http="GET /left", socket="left", timeout=100)
    async def left(context: Context, *, bus: Bus) -> list[float | None]:
        return [context.remaining, await bus.call(INNER, timeout=1000)]

    @app.route("/free")
    async def free(context: Context) -> float | None:
        return context.remaining

    @app.action("slow", http="POST /slow", socket="slow")
    async def slow(name: str) -> None:
        await wait(name)

    @app.action("limited", http="POST /limited", socket="limited", timeout=0.05)
    async def limited(name: str) -> None:
        await wait(name)

    @app.action("ticks", sse="GET /ticks")
    async def ticks(name: str) -> AsyncIterator[int]:
        yield 1
        await wait(name)

    return app


@pytest.fixture
def cancelled() -> list[str]:
    return []


@pytest.fixture
async def service(cancelled: list[str]) -> AsyncGenerator[RunningService]:
    async with running(make_app(cancelled)) as service:
        yield service


def waiting(milliseconds: object) -> dict[str, str]:
    return {"x-request-timeout-ms": str(milliseconds)}


class TestHttp:
    async def test_the_handler_and_its_calls_have_the_time_of_the_client(self, service: RunningService) -> None:
        own, of_call = (await service.http.get("/left", headers=waiting(60_000))).json()
        assert 50 < of_call <= own <= 60

    async def test_a_client_cannot_have_more_time_than_the_handler(self, service: RunningService) -> None:
        own, _ = (await service.http.get("/left", headers=waiting(9_999_999_999))).json()
        assert 90 < own <= 100

    async def test_a_client_that_says_nothing_waits_for_ever(self, service: RunningService) -> None:
        assert (await service.http.get("/free")).json() is None
        assert 50 < (await service.http.get("/free", headers=waiting(60_000))).json() <= 60

    @pytest.mark.parametrize(("path", "milliseconds"), [("/slow", 50), ("/limited", 60_000)])
    async def test_the_handler_is_cancelled_at_the_end_of_the_time(
        self, service: RunningService, cancelled: list[str], path: str, milliseconds: int
    ) -> None:
        response = await service.http.post(path, json="a", headers=waiting(milliseconds))
        assert (response.status_code, response.json()["code"]) == (504, "timeout")
        assert response.json()["detail"] == f"route POST {path} did not finish in 0.05 s"
        assert cancelled == ["a"]

    async def test_a_stream_ends_at_the_end_of_the_time(self, service: RunningService, cancelled: list[str]) -> None:
        response = await service.http.get("/ticks?name=a", headers=waiting(50))
        assert "data: 1" in response.text
        assert '"code":"timeout"' in response.text
        assert cancelled == ["a"]

    @pytest.mark.parametrize("value", ["", "0", "000", "-1", "1.5", "1e3", "12345678901", "soon", "5, 6", "٣"])
    async def test_other_values_are_refused(self, service: RunningService, value: str) -> None:
        headers = {b"x-request-timeout-ms": value.encode()}
        for path in ("/left", "/free", "/ticks?name=a"):
            response = await service.http.get(path, headers=headers)
            problem = "Expected a positive number of milliseconds, of at most 10 digits"
            assert response.status_code == 400
            assert response.json()["details"] == {
                "errors": [{"in": "header", "path": "x-request-timeout-ms", "problem": problem}]
            }


class TestWebSocket:
    async def test_the_handler_and_its_calls_have_the_time_of_the_client(self, service: RunningService) -> None:
        own, of_call = await ask(service, {"type": "left", "timeout_ms": 60_000})
        assert 50 < of_call <= own <= 60
        own, of_call = await ask(service, {"type": "left", "timeout_ms": 9_999_999_999})
        assert 90 < of_call <= own <= 100

    @pytest.mark.parametrize(("name", "milliseconds"), [("slow", 50), ("limited", 60_000)])
    async def test_the_handler_is_cancelled_at_the_end_of_the_time(
        self, service: RunningService, cancelled: list[str], name: str, milliseconds: int
    ) -> None:
        error = await ask(service, {"type": name, "data": "a", "timeout_ms": milliseconds})
        assert error == {"error": f"socket {name} did not finish in 0.05 s", "code": "timeout"}
        assert cancelled == ["a"]

    @pytest.mark.parametrize("value", [0, -1, 10_000_000_000, 1.5, "5"])
    async def test_other_values_are_refused(self, service: RunningService, value: object) -> None:
        error = await ask(service, {"type": "left", "timeout_ms": value})
        assert error["code"] == "bad_request"
        assert error["details"]["errors"][0]["path"] == "$.timeout_ms"


async def ask(service: RunningService, message: dict[str, object]) -> Any:
    async with service.socket() as client:
        await client.connection.send(msgspec.json.encode({**message, "id": 1}).decode())
        answer = await client.receive()
    assert answer.id == 1
    return msgspec.json.decode(answer.data)


def test_of_several_values_the_shortest_counts() -> None:
    assert read_timeout([b"1500", b"250"]) == 0.25
    with pytest.raises(BadRequest):
        read_timeout([b"1500", b"x"])
