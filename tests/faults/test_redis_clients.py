"""A handler lets through what the injected redis-py client raises: its sender is told that the server is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dependency_injector import providers
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from tests.engines import Engine, free_port
from tests.support import until

from daebus import Action, Daebus, DaebusHttp, DaebusWebSocket
from daebus.errors import Unavailable
from daebus.testing import RunningService, running

from .world import told

COUNT = Action[None, int]("count", service="counting")
AWAY = "The Redis server that is needed for this is not available now. Trying again may help."


def once() -> Retry:
    """For clients that are not to try again, which takes redis-py seconds."""
    return Retry(NoBackoff(), 0)


def counting() -> Daebus:
    app = Daebus("counting")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.on_start()
    async def hurry(*, redis: Redis) -> None:
        redis.set_retry(once())

    @app.action(COUNT)
    async def count(*, redis: Redis) -> int:
        return await redis.incr("count")

    @app.route("/count")
    async def http_count(*, redis: Redis) -> int:
        return await redis.incr("count")

    @app.socket("count")
    async def ws_count(*, redis: Redis) -> int:
        return await redis.incr("count")

    @app.route("/careful")
    async def careful(*, redis: Redis) -> str:
        try:
            return str(await redis.incr("count"))
        except RedisConnectionError as error:
            return type(error).__name__

    @app.route("/misused")
    async def misused(*, redis: Redis) -> int:
        await redis.set("count", "many")
        return await redis.incr("count")

    return app


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine") as engine:
        yield engine


async def status(service: RunningService, path: str) -> int:
    return (await service.http.get(path)).status_code


async def test_who_asks_a_service_whose_server_is_away_is_told_so_and_the_log_once(engine: Engine) -> None:
    async with running(counting(), redis_url=engine.url) as service, service.socket() as socket:
        assert (await service.http.get("/count")).json() == 1
        with told() as lines:
            engine.kill()
            for _ in range(8):
                problem = (await service.http.get("/count")).json()
                assert (problem["status"], problem["code"], problem["detail"]) == (503, "unavailable", AWAY)
            answer = await socket.ask("count")
            assert answer.type == "error"
            assert AWAY.encode() in bytes(answer.data)
            assert b'"unavailable"' in bytes(answer.data)
            assert (await service.http.get("/careful")).text == "ConnectionError"
            engine.start()
            await until(lambda: any("Connected again" in line for line in lines))
        assert (await service.http.get("/count")).json() == 1
        assert "TRACEBACK" not in lines
        of_clients = [line for line in lines if "redis is not available" in line]
        assert len(of_clients) == 4 + 1, lines  # the route's at the 1st, 2nd, 4th and 8th failure, and the socket's


@dataclass(frozen=True)
class Trouble:
    name: str
    make: Callable[[Engine], object]


TROUBLES = [
    Trouble("gone", Engine.kill),
    Trouble("hung", Engine.freeze),
    Trouble("out of memory", lambda engine: engine.ask("CONFIG SET maxmemory 1")),
    Trouble("a replica", lambda engine: engine.ask("REPLICAOF 127.0.0.1 1")),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_a_caller_is_told_of_any_server_that_cannot_serve(engine: Engine, trouble: Trouble) -> None:
    """Also of one of the user's own, while that of the bus works."""
    async with running(counting()) as service:
        own = Redis(port=engine.port, retry=once(), socket_timeout=0.3)
        with service.override(redis=own), told() as lines:
            assert await service.call(COUNT) == 1
            trouble.make(engine)
            with pytest.raises(Unavailable) as caught:
                await service.call(COUNT)
        await own.aclose()
    assert caught.value.message == AWAY
    assert len(lines) == 1, lines


async def test_a_mistake_with_the_client_is_none_of_the_server(engine: Engine) -> None:
    async with running(counting(), redis_url=engine.url) as service:
        problem = (await service.http.get("/misused")).json()
        assert (problem["status"], problem["code"]) == (500, "internal")


def counting_on_a_cluster() -> Daebus:
    app = Daebus("counting")
    app.attach(DaebusHttp())

    @app.action(COUNT)
    async def count(*, redis_cluster: RedisCluster) -> int:
        return await redis_cluster.incr("count")

    @app.route("/count")
    async def http_count(*, redis_cluster: RedisCluster) -> int:
        return await redis_cluster.incr("count")

    @app.route("/misused")
    async def misused(*, redis_cluster: RedisCluster) -> None:
        await redis_cluster.execute_command("EVAL", "return 1")

    return app


async def test_the_same_on_a_cluster(tmp_path: Path) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with Engine(tmp_path / "node", *options) as node:
        node.ask("CLUSTER ADDSLOTSRANGE 0 16383")
        await until(lambda: b"cluster_state:ok" in node.ask("CLUSTER INFO"))
        async with running(counting_on_a_cluster(), redis_url=f"redis+cluster://127.0.0.1:{node.port}") as service:
            assert (await service.http.get("/count")).json() == 1
            assert await status(service, "/misused") == 500
            with told() as lines:
                node.kill()
                problem = (await service.http.get("/count", timeout=20)).json()
                assert (problem["status"], problem["code"], problem["detail"]) == (503, "unavailable", AWAY)
            assert "TRACEBACK" not in lines


async def test_a_cluster_none_of_whose_nodes_was_ever_there() -> None:
    app = counting_on_a_cluster()
    nowhere = RedisCluster(host="127.0.0.1", port=free_port())
    with app.container.redis_cluster.override(providers.Object(nowhere)):
        async with running(app) as service:
            with pytest.raises(Unavailable, match="not available now"):
                await service.call(COUNT, timeout=20)
    await nowhere.aclose()
