"""Clients of HTTP that leave before their answer: which handlers are cancelled, and what becomes of the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dependency_injector import providers
from litestar import Request
from litestar.response import Stream
from tests.support import until

from daebus import Blueprint, Daebus, DaebusHttp, PerMessage, ServiceContainer, WiringError
from daebus.testing import RunningService, running

FOREVER = 600


class Log:
    """What has happened in the service."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @contextlib.contextmanager
    def noted(self, name: str) -> Generator[None]:
        self.events.append(f"{name} begins")
        try:
            yield
        except asyncio.CancelledError:
            self.events.append(f"{name} cancelled")
            raise
        self.events.append(f"{name} ends")


@contextlib.asynccontextmanager
async def open_session(log: Log) -> AsyncGenerator[str]:
    with log.noted("session"):
        yield "session"


class Container(ServiceContainer):
    log = providers.Singleton(Log)
    session = PerMessage(open_session, log=log)


routes = Blueprint("routes", services=Container)


@routes.route("/wait", methods=["GET", "POST"])
async def wait(seconds: float = FOREVER, *, session: str, log: Log) -> str:
    with log.noted("handler"):
        await asyncio.sleep(seconds)
    return session


@routes.route("/body")
async def body(request: Request[Any, Any, Any], *, log: Log) -> str:
    await asyncio.sleep(0.4)
    return (await request.body()).decode() + "nothing"


@routes.route("/taken", methods=["POST"])
async def taken(data: list[int], *, log: Log) -> None:
    with log.noted("handler"):
        await asyncio.sleep(FOREVER)


@routes.route("/late")
async def late(*, log: Log) -> Stream:
    async def parts() -> AsyncIterator[str]:
        with log.noted("stream"):
            while True:
                yield "part"
                await asyncio.sleep(0.01)

    await asyncio.sleep(0.4)
    return Stream(parts())


@routes.action("ticks", sse="GET /ticks")
async def ticks(*, log: Log) -> AsyncIterator[int]:
    with log.noted("handler"):
        await asyncio.sleep(FOREVER)
        yield 1


@asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[tuple[RunningService, Log]]:
    container = Container()
    app = Daebus("leaving", container=container)
    app.attach(DaebusHttp(port=0, **options))
    app.register_blueprint(routes)
    async with running(app) as service:
        yield service, container.log()


@asynccontextmanager
async def asked(
    service: RunningService, *heads: str, headers: str = "", body: str = ""
) -> AsyncGenerator[asyncio.StreamReader]:
    """A client that has sent requests, and leaves at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.ports["http"])
    try:
        for head in heads:
            writer.write(f"{head} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n{body}".encode())
        await writer.drain()
        yield reader
    finally:
        writer.close()


CANCELLED = ["session begins", "handler begins", "handler cancelled", "session cancelled"]


@pytest.mark.parametrize(
    ("method", "options"),
    [("GET", {}), *((one, {"cancel_on_disconnect": True}) for one in ("GET", "POST"))],
)
async def test_the_handler_is_cancelled(method: str, options: dict[str, Any]) -> None:
    async with serving(**options) as (service, log):
        async with asked(service, f"{method} /wait"):
            await until(lambda: len(log.events) == 2)
            await asyncio.sleep(0.3)
            assert len(log.events) == 2
        async with asyncio.timeout(3):
            await until(lambda: log.events == CANCELLED)


async def test_one_whose_client_leaves_at_once_is_cancelled_soon() -> None:
    async with serving() as (service, log):
        async with asked(service, "GET /wait"):
            await until(lambda: len(log.events) == 2)
        async with asyncio.timeout(3):
            await until(lambda: log.events == CANCELLED)


@pytest.mark.parametrize(("method", "options"), [("POST", {}), ("GET", {"cancel_on_disconnect": False})])
async def test_the_handler_runs_on(method: str, options: dict[str, Any]) -> None:
    async with serving(**options) as (service, log):
        async with asked(service, f"{method} /wait?seconds=0.6"):
            await until(lambda: len(log.events) == 2)
        await until(lambda: len(log.events) == 4)
        assert log.events == ["session begins", "handler begins", "handler ends", "session ends"]


async def test_a_client_is_listened_to_after_its_body() -> None:
    async with serving(cancel_on_disconnect=True) as (service, log):
        headers = "content-type: application/json\r\ncontent-length: 3\r\n"
        async with asked(service, "POST /taken", headers=headers, body="[1]"):
            await until(lambda: log.events == ["handler begins"])
        async with asyncio.timeout(3):
            await until(lambda: log.events == ["handler begins", "handler cancelled"])


async def test_a_handler_may_read_an_empty_body_late() -> None:
    async with serving() as (service, _):
        assert (await service.http.get("/body")).text == "nothing"
        assert (await service.http.get("/wait", params={"seconds": 0.4})).text == "session"


async def test_a_body_that_is_made_later_ends_when_its_client_leaves() -> None:
    async with serving() as (service, log):
        async with asked(service, "GET /late") as reader:
            await reader.readuntil(b"part")
            assert log.events == ["stream begins"]
        async with asyncio.timeout(3):
            await until(lambda: log.events == ["stream begins", "stream cancelled"])


@pytest.mark.parametrize("chosen", [None, False])
async def test_a_stream_of_events_is_cancelled(chosen: bool | None) -> None:
    async with serving(cancel_on_disconnect=chosen) as (service, log):
        async with asked(service, "GET /ticks") as reader:
            await reader.readuntil(b"text/event-stream")
            assert log.events == ["handler begins"]
        async with asyncio.timeout(3):
            await until(lambda: log.events == ["handler begins", "handler cancelled"])


async def test_other_requests_of_the_connection_are_answered() -> None:
    async with serving() as (service, log):
        async with asked(service, "GET /wait?seconds=0.4") as reader:
            await reader.readuntil(b"session")
        async with asked(service, "GET /wait?seconds=0.4", "GET /wait?seconds=0.3") as reader:
            for _ in range(2):
                assert (await reader.readuntil(b"session")).startswith(b"HTTP/1.1 200")
        assert log.events.count("session ends") == 3


def test_another_value_is_refused() -> None:
    with pytest.raises(WiringError, match="cancel_on_disconnect='yes' is not an allowed value"):
        DaebusHttp(cancel_on_disconnect="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
