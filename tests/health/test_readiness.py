"""A service is ready if it runs, is connected, is not delayed, and everything that offers a check is well."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing

import httpx
import pytest
from dependency_injector import providers
from tests.support import until

from daebus import Blueprint, Daebus, DaebusHttp, ServiceContainer, Settings
from daebus.connection.node import Node
from daebus.discovery.asking import ask
from daebus.embedded.engine import join_embedded
from daebus.errors import Conflict
from daebus.health.readiness import CHECK_SECONDS, Check
from daebus.protocol.discovery import CheckResult, HealthAnswer
from daebus.testing import RunningService, running


class Database:
    """Its check waits for a gate, and fails as it is told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.checks = 0

    async def check_health(self) -> None:
        self.checks += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error


class Disk:
    """Its check runs in a thread."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.checks = 0

    def check_health(self) -> None:
        self.checks += 1
        self.gate.wait()


class Feed:
    """A component with a check."""

    @asynccontextmanager
    async def serving(self, run: object) -> AsyncGenerator[None]:
        yield

    async def check_health(self) -> None:
        """It is well."""


async def open_database() -> AsyncGenerator[Database]:
    yield Database()


class Container(ServiceContainer):
    database = providers.Resource(open_database)
    disk = providers.Singleton(Disk)


def make_app(settings: Settings | None = None, http: DaebusHttp | None = None) -> Daebus[Container]:
    app = Daebus("shop", container=Container(), settings=settings)
    app.attach(http or DaebusHttp())
    app.attach(Feed())
    handlers = Blueprint[Container]("handlers")

    @handlers.route("/ping")
    async def ping() -> str:
        return "pong"

    @handlers.route("/block")
    async def block() -> str:
        time.sleep(0.6)  # noqa: ASYNC251  # that is what is tested
        return "done"

    app.register_blueprint(handlers)
    return app


async def probe(service: RunningService) -> httpx.Response:
    return await service.http.get("/health/ready")


async def checks(node: Node) -> Sequence[CheckResult]:
    (answer,) = await ask(node, "health", HealthAnswer, service="shop")
    assert answer.ready == all(one.ok for one in answer.checks)
    return answer.checks


async def failing(node: Node) -> dict[str, str | None]:
    return {one.name: one.reason for one in await checks(node) if not one.ok}


async def test_everybody_may_ask_whether_a_service_is_ready() -> None:
    async with running(make_app(http=DaebusHttp(allowed_hosts=["shop.example"]))) as service:
        found = await probe(service)
        assert (found.status_code, found.json()) == (200, {"status": "ready"})
        assert found.headers["cache-control"] == "no-store"
        assert (await service.http.get("/health/live")).json() == {"status": "live"}
        head = await service.http.head("/health/ready")
        assert (head.status_code, head.content) == (200, b"")
        refused = await service.http.post("/health/ready")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        assert (await service.http.get("/ping")).status_code == 400  # the guard of other requests is as before


async def test_what_offers_a_check_is_checked(node: Node, daebus_redis_url: str) -> None:
    app = make_app()
    async with running(app, redis_url=daebus_redis_url):
        assert [one.name for one in await checks(node)] == ["bus", "event loop", "component Feed", "database", "disk"]
        assert all(one.ok for one in await checks(node))
        assert app.container.disk().checks == 1  # results are used again for a second


async def test_the_reason_of_a_failure_is_in_the_log_and_not_told_to_clients(
    node: Node, daebus_redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    async with running(app, redis_url=daebus_redis_url) as service:
        database = app.container.database()
        database.error = OSError("no route to db.internal, password secret")
        found = await probe(service)
        assert (found.status_code, found.json()) == (503, {"status": "unready"})
        assert await failing(node) == {"database": "OSError, see the log of the service"}
        (line,) = [one for one in caplog.records if "health check" in str(one.msg)]
        assert (line.levelno, "password secret" in str(line.__dict__)) == (logging.WARNING, True)
        database.error = Conflict("the schema is too old")

        async def told() -> bool:
            return await failing(node) == {"database": "the schema is too old"}

        await until(told, pause=0.1)
        database.error = None

        async def is_ready() -> bool:
            return (await probe(service)).status_code == 200

        await until(is_ready, pause=0.1)
        assert "succeeds again" in caplog.text


async def test_a_check_that_does_not_end_fails_and_is_not_started_again(node: Node, daebus_redis_url: str) -> None:
    app = make_app()
    async with running(app, redis_url=daebus_redis_url):
        disk, database = app.container.disk(), app.container.database()
        disk.gate.clear()
        database.gate.clear()
        begun = time.monotonic()
        late = f"no answer within {CHECK_SECONDS:g} s"
        assert await failing(node) == {"database": late, "disk": late}
        assert time.monotonic() - begun < 2 * CHECK_SECONDS
        before = database.checks

        async def asked_again() -> bool:
            await checks(node)
            return database.checks > before

        await until(asked_again, pause=0.1)
        assert disk.checks == 1
        disk.gate.set()
        database.gate.set()


async def test_a_service_without_its_redis_is_not_ready() -> None:
    with closing(join_embedded(private=True)) as engine:
        async with running(make_app(Settings(lease=0.5, stop_timeout=0)), redis_url=engine.url) as service:
            assert (await probe(service)).status_code == 200
            engine.close()

            async def is_unready() -> bool:
                return (await probe(service)).status_code == 503

            await until(is_unready, pause=0.1)


async def test_a_service_whose_event_loop_is_late_is_not_ready(node: Node, daebus_redis_url: str) -> None:
    async with running(make_app(Settings(max_lag=0.2)), redis_url=daebus_redis_url) as service:
        await service.http.get("/block")

        async def is_unready() -> bool:
            return set(await failing(node)) == {"event loop"}

        await until(is_unready, pause=0.1)


async def test_probes_are_served_where_the_service_wants_them() -> None:
    app = make_app(http=DaebusHttp(health=False))
    async with running(app) as service:
        assert (await probe(service)).status_code == 404


async def test_a_route_of_the_service_goes_before_a_probe() -> None:
    app = make_app()

    @app.route("/health/ready")
    async def ready() -> str:
        return "my own"

    async with running(app) as service:
        assert (await probe(service)).text == "my own"
        assert (await service.http.get("/health/live")).json() == {"status": "live"}


async def test_a_check_that_is_cancelled_fails() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    result = await Check("odd", cancelled).result()
    assert (result.ok, result.reason) == (False, "it was cancelled")
