"""The eight lines."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest
from tests.processes import EXAMPLES, Service, daebus, launched


@pytest.fixture(scope="module")
def hello(redis_url: str) -> Generator[Service]:
    with launched(sys.executable, str(EXAMPLES / "hello.py"), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        yield service
        assert service.stop() == 0, service.text()
        assert service.problems() == []


def test_it_is_as_short_as_promised() -> None:
    lines = (EXAMPLES / "hello.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 8


async def test_greet(hello: Service, redis_url: str) -> None:
    outcome = await daebus("call", "hello", "greet", '"World"', redis_url=redis_url)

    assert (outcome.code, outcome.output, outcome.errors) == (0, '"Hello, World!"\n', "")


async def test_what_is_not_text_is_refused(hello: Service, redis_url: str) -> None:
    outcome = await daebus("call", "hello", "greet", "3", redis_url=redis_url)

    assert (outcome.code, outcome.output) == (1, "")
    assert "expected `str`, got `int`" in outcome.errors
