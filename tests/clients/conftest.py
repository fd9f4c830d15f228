from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.clients.node import NODE, copy_programs
from tests.processes import DAEBUS, EXAMPLES, Service, serving

from daebus.testing import private_redis_url

TORTURE = "tests.export.torture:app"


def export(target: str, folder: Path, *, cwd: Path = EXAMPLES.parent, service: str | None = None) -> None:
    options = ["-o", str(folder), *([] if service is None else ["--service", service])]
    subprocess.run([*DAEBUS, "export", "typescript", target, *options], cwd=cwd, check=True)


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the client of the torture module, with the programs of the tests."""
    folder = tmp_path_factory.mktemp("client")
    export(TORTURE, folder)
    copy_programs(folder)
    return folder


@pytest.fixture(scope="module")
def service(empty_server: None) -> Generator[Service]:
    with serving(TORTURE, redis_url=private_redis_url()) as service:
        yield service


@pytest.fixture(scope="session")
def tsc() -> list[str]:
    """The command of the TypeScript compiler, which `nox -s clients` installs."""
    found = os.environ.get("DAEBUS_TSC")
    assert found, "DAEBUS_TSC names the bin/tsc of the package typescript of npm: see `nox -s clients`"
    return [NODE, found]
