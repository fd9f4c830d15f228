"""A server that throws queued messages away when it is full is refused by name, one that drops keys is warned of."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.engines import Engine

from daebus import Action, Daebus, Settings
from daebus.errors import StartupError
from daebus.testing import running

from .clusters import Cluster
from .test_topologies import documented_rights
from .world import told

DOUBLE = Action[int, int]("double", service="queued")


def app() -> Daebus:
    app = Daebus("queued", settings=Settings(legacy=False))

    @app.action(DOUBLE)
    async def double(number: int) -> int:
        return 2 * number

    return app


@asynccontextmanager
async def started(url: str) -> AsyncGenerator[list[str]]:
    """Start a service; gives what it logs of the policy."""
    with told() as lines:
        async with running(app(), redis_url=url) as service:
            assert await service.call(DOUBLE, 2) == 4
            yield [line for line in lines if "eviction policy" in line]


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
async def test_a_server_that_drops_queues_is_refused(tmp_path: Path, policy: str) -> None:
    with (
        Engine(tmp_path / "engine", "--maxmemory", "64mb", "--maxmemory-policy", policy) as engine,
        pytest.raises(StartupError) as caught,
    ):
        async with started(engine.tcp_url):
            pass
    text = str(caught.value)
    assert f"The server at {engine.tcp_url} has maxmemory-policy {policy}" in text
    assert "(64 MiB)" in text
    assert "Set maxmemory-policy noeviction" in text
    assert "\n" not in text


async def test_a_server_that_drops_idempotency_keys_is_warned_of(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine", "--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru") as engine:
        async with started(engine.tcp_url) as lines:
            (line,) = lines
    assert "policy='volatile-lru'" in line
    assert "idempotency keys" in line


@pytest.mark.parametrize("options", [(), ("--maxmemory", "64mb"), ("--maxmemory-policy", "noeviction")])
async def test_a_server_that_refuses_what_it_has_no_room_for_is_right(tmp_path: Path, options: tuple[str, ...]) -> None:
    with Engine(tmp_path / "engine", *options) as engine:
        async with started(engine.tcp_url) as lines:
            assert lines == []


async def test_a_policy_without_a_limit_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with Engine(tmp_path / "engine", "--maxmemory-policy", "allkeys-lru") as engine:
        async with started(engine.tcp_url):
            pass
    (line,) = [line for line in caplog.messages if "eviction policy" in line]
    assert "without effect" in line
    assert "allkeys-lru" in line


async def test_who_may_not_read_it_is_told_the_right_to_add(tmp_path: Path) -> None:
    with Engine(tmp_path / "engine", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru") as engine:
        engine.ask(f"ACL SETUSER queued on >pw {documented_rights()} &queued -info")
        async with started(f"redis://queued:pw@127.0.0.1:{engine.port}/0") as lines:
            (line,) = lines
    assert "not known" in line
    assert "+info" in line


async def test_each_primary_of_a_cluster_is_asked(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        worst = cluster.primaries[2]
        worst.ask("CONFIG SET maxmemory 64mb", "CONFIG SET maxmemory-policy allkeys-lfu")
        with pytest.raises(StartupError, match=rf":{worst.port}\) has maxmemory-policy allkeys-lfu"):
            async with running(app(), redis_url=cluster.url):
                pass
        worst.ask("CONFIG SET maxmemory-policy noeviction")
        async with started(cluster.url) as lines:
            assert lines == []
    finally:
        cluster.kill()
