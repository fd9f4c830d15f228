"""Fixtures for pytest, which loads them if daebus is installed with its extra ``testing``."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

__all__ = ["daebus_redis_url"]


@pytest.fixture
def daebus_redis_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty server of this test run alone; the variable DAEBUS_REDIS_URL has it for child processes."""
    # Imported here: pytest loads this module wherever daebus is installed, also where it is not tested.
    from daebus.testing import empty_redis, private_redis_url  # noqa: PLC0415

    url = private_redis_url()
    monkeypatch.setenv("DAEBUS_REDIS_URL", url)
    # In a thread, as the test may have an event loop of its own here.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, empty_redis(url)).result()
    return url
