"""What holds for every test."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any, cast

import pytest
from redis import Redis

from daebus.testing import private_redis_url


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
