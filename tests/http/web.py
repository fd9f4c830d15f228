"""Routes behind a real server, for several tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import msgspec
from dependency_injector import containers, providers
from litestar import Litestar, Request
from tests.support import recorded

from daebus.app.kinds import compile_handler
from daebus.asgi.settings import DaebusHttp
from daebus.core.stopping import Stopping
from daebus.declare.recorder import Recorder
from daebus.declare.specs import RouteSpec
from daebus.delivery.per_message import PerMessage
from daebus.delivery.workers import WorkerPool
from daebus.errors import (
    NotFound,
)
from daebus.http.application import HttpRoute, build_litestar
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

AnyRequest = Request[Any, Any, Any]


class User(msgspec.Struct):
    id: str
    email: Annotated[str, msgspec.Meta(pattern=r".+@.+")]
    tags: list[int] = []


class Repo:
    def __init__(self) -> None:
        self.users = {"u1": User("u1", "a@example.org")}

    def find(self, user_id: str) -> User:
        if user_id not in self.users:
            raise NotFound(f"User {user_id} not found", details={"user_id": user_id})
        return self.users[user_id]


class Session:
    """Opened for each message; says what became of it."""

    def __init__(self) -> None:
        self.is_open = True


sessions: list[str] = []


@contextlib.contextmanager
def open_session() -> Generator[Session]:
    session = Session()
    try:
        yield session
    except BaseException:
        sessions.append("rolled back")
        raise
    else:
        sessions.append("committed")
    finally:
        session.is_open = False


class Lazy(msgspec.Struct):
    """Can be encoded only while its session is open."""

    session: Any


class Services(containers.DeclarativeContainer):
    repo = providers.Singleton(Repo)
    session = PerMessage(open_session)


def build(
    recorder: Recorder, settings: DaebusHttp | None = None, workers: WorkerPool | None = None, **more: Any
) -> Litestar:
    routes: list[HttpRoute] = []
    container = Services()
    for spec in recorded(recorder):
        assert isinstance(spec, RouteSpec)
        routes.append(HttpRoute(spec, compile_handler(spec, container, workers or WorkerPool(2))))
    return build_litestar(
        settings or DaebusHttp(), routes, service="user_service", stopping=Stopping(), logger=make_logger(), **more
    )


@asynccontextmanager
async def serving(recorder: Recorder, **litestar: Any) -> AsyncGenerator[httpx.AsyncClient]:
    async with serving_app(recorder, **litestar) as (_, client):
        yield client


@asynccontextmanager
async def serving_app(recorder: Recorder, **litestar: Any) -> AsyncGenerator[tuple[Litestar, httpx.AsyncClient]]:
    workers = WorkerPool(2)
    app = build(recorder, DaebusHttp(**litestar), workers)
    server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger())
    async with app.lifespan():
        base_url = f"http://127.0.0.1:{await server.start()}"
        try:
            async with httpx.AsyncClient(base_url=base_url, verify=False) as client:
                yield app, client
        finally:
            await server.stop(1)
            workers.close()


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem
