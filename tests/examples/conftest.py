from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

import pytest
from tests.processes import EXAMPLES

from daebus import Bus
from daebus.testing import private_redis_url

for _project in ("chat", "users", "by_protocol", "orders"):
    sys.path.append(str(EXAMPLES / _project))


@pytest.fixture(scope="session")
def redis_url() -> str:
    return private_redis_url()


@pytest.fixture
async def bus(redis_url: str) -> AsyncGenerator[Bus]:
    async with Bus(redis_url) as bus:
        yield bus
