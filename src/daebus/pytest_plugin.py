"""Fixtures for pytest, there as soon as daebus is installed."""

from __future__ import annotations

from collections.abc import Generator

import pytest

__all__ = ["daebus_redis_url"]


@pytest.fixture
def daebus_redis_url(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The URL of an empty server that this test run has for itself; also in the environment, for processes it starts."""
    from redis import Redis

    from daebus.testing import private_redis_url

    url = private_redis_url()
    monkeypatch.setenv("DAEBUS_REDIS_URL", url)
    with Redis.from_url(url) as redis:
        redis.flushall()
    yield url
