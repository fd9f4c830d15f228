"""Values of every type go from Python to TypeScript, to a service, back to TypeScript, and back to Python unchanged."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.clients.node import Program, running
from tests.export.torture import Everything
from tests.export.values import values_of
from tests.processes import Service

_LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@pytest.fixture(scope="module")
def echo(client: Path, service: Service) -> Generator[Program]:
    with running(client, "echo.ts", service.url) as program:
        yield program


# The values are large, and a smaller one of a failure is long in being found.
@settings(max_examples=200, deadline=None, suppress_health_check=_LARGE, phases=[Phase.generate])
@given(values_of(Everything))
def test_values_come_back_unchanged(echo: Program, value: Everything) -> None:
    echo.tell(msgspec.json.encode(value))
    back = msgspec.json.decode(echo.line(), type=Everything)
    assert back == value
    assert exactly(back) == exactly(value)


def exactly(value: Everything) -> str:
    """Also the sign of a zero, and the type of a number; not the order of keys and of sets."""
    containers = msgspec.structs.replace(value.containers, unique=set(), frozen=frozenset())
    given = json.loads(msgspec.json.encode(msgspec.structs.replace(value, containers=containers)))
    return json.dumps(given, sort_keys=True)
