from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from redis import Redis
from tests.processes import EXAMPLES

from daebus import Bus
from daebus.testing import private_redis_url

for _project in ("users", "by_protocol", "orders"):
    sys.path.append(str(EXAMPLES / _project))


@pytest.fixture(scope="session")
def redis_url() -> str:
    return private_redis_url()


@pytest.fixture(scope="module", autouse=True)
def empty_server(redis_url: str) -> None:
    """Two of the examples have the same service: neither finds the listeners of the other."""
    with cast("Any", Redis).from_url(redis_url) as client:
        client.flushall()


@pytest.fixture
async def bus(redis_url: str) -> AsyncGenerator[Bus]:
    async with Bus(redis_url) as bus:
        yield bus
