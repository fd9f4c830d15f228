"""What holds for every test."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncGenerator, Generator
from typing import Any, cast

import pytest
from redis import Redis
from tests.support import raw_redis

from daebus.connection.node import Node, open_node
from daebus.connection.redis_server import RedisServer
from daebus.testing import private_redis_url

_LONGEST = (
    "tests/process/test_supervisor.py",
    "tests/simulation/test_simulation.py",
    "tests/chaos/test_chaos.py",
    "tests/mistakes/test_mistakes_catalogue.py",
    "tests/mypy/test_mypy_changes.py",
    "tests/lsp/test_features.py",
    "tests/typing/test_editor.py",
    "tests/typing/test_rejected.py",
    "tests/cli/test_cli.py",
    "tests/cli/test_cli_check.py",
    "tests/process/test_process_stopping.py",
    "tests/server/test_reach.py",
    "tests/examples/test_users.py",
    "tests/faults/test_stalls.py",
    "tests/faults/test_poison.py",
    "tests/process/test_hangs.py",
    "tests/app/running/test_runner.py",
    "tests/http/test_bodies.py",
    "tests/connection/test_link.py",
    "tests/faults/test_topologies.py",
    "tests/faults/test_dead_replicas.py",
    "tests/websocket/test_hub.py",
    "tests/queues/test_lease_scripts.py",
    "tests/queues/test_leases.py",
    "tests/embedded/test_deployment.py",
)
"""The files that take longest. They are begun first, so that no process is left with one of them at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the longest files to the beginning; the others stay in their random order."""
    places = {file: number for number, file in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


def pytest_collection_finish() -> None:
    """Keep the collector off what is imported by now: going over all of it takes a third of a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Generator[None]:
    """A service that starts configures the logging of its process: the next test begins without."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in root.handlers:
        if handler not in handlers:
            root.removeHandler(handler)
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="module", autouse=True)
def empty_server() -> None:
    """The tests of one module do not meet the listeners, letters and registries of another one's services."""
    with cast("Any", Redis).from_url(private_redis_url()) as client:
        client.flushall()


@pytest.fixture
async def redis() -> AsyncGenerator[Any]:
    """A client of the server of this test process that knows nothing of daebus."""
    async with raw_redis(private_redis_url()) as client:
        yield client


@pytest.fixture
async def node() -> AsyncGenerator[Node]:
    """A process on the bus, at the server of this test process."""
    async with open_node(RedisServer.from_url(private_redis_url())) as node:
        yield node
