"""What docs/guide.md promises of a service with a database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from dependency_injector import providers
from sqlalchemy.pool import QueuePool
from tests.guide.shop import ORDERS, Container, OrderPlaced, shop
from tests.support import until

from daebus import Daebus, DaebusHttp
from daebus.testing import RunningService, running


class Shop:
    """The service, and what another one has heard of it."""

    def __init__(self, folder: Path) -> None:
        self.container = Container()
        self.container.database.override(providers.Object(f"sqlite+aiosqlite:///{folder}/shop.db"))
        self.app = Daebus("shop", container=self.container)
        self.app.attach(DaebusHttp(port=0))
        self.app.register_blueprint(shop)
        self.heard: list[str] = []

        @self.app.listen(ORDERS)
        async def hear(event: OrderPlaced) -> None:
            self.heard.append(event.id)


@pytest.fixture
def known(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
async def service(known: Shop) -> AsyncIterator[RunningService]:
    async with running(known.app) as service:
        yield service


async def test_an_event_follows_the_commit(service: RunningService, known: Shop) -> None:
    assert (await service.http.post("/orders", json={"id": "o1", "item": "tea"})).status_code == 201
    await until(lambda: known.heard == ["o1"])
    assert (await service.http.get("/orders.csv")).text == "o1,tea\n"


async def test_a_commit_that_fails_publishes_nothing(service: RunningService, known: Shop) -> None:
    for item, status in (("tea", 201), ("coffee", 409), ("milk", 409)):
        assert (await service.http.post("/orders", json={"id": "o1", "item": item})).status_code == status
    assert (await service.http.post("/orders", json={"id": "o2", "item": "tea"})).status_code == 201
    await until(lambda: known.heard == ["o1", "o2"])
    assert (await service.http.get("/orders.csv")).text == "o1,tea\no2,tea\n"


async def test_no_session_leaks(service: RunningService, known: Shop) -> None:
    engine = known.container.engine()
    for number in range(60):
        await service.http.post("/orders", json={"id": f"o{number}", "item": "tea"})
        async with service.http.stream("GET", "/orders.csv"):
            pass
    pool = cast("QueuePool", engine.pool)
    await until(lambda: pool.checkedout() == 0)


async def test_an_event_stream_is_told_of_the_stop(known: Shop) -> None:
    async with running(known.app) as service, service.http.stream("GET", "/orders/count") as response:
        async for line in response.aiter_lines():
            if line:
                assert line == "data: 0"
                break
