"""The probes of a process, and its notifications of systemd, from its start to its end."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.processes import DAEBUS, Service, launched

from daebus.server.ports import reserve_port

APP = """
import asyncio, pathlib
from daebus import Daebus, DaebusHttp, Settings

app = Daebus("shop", settings=Settings(drain_delay=2.5))
HERE = pathlib.Path(__file__)

@app.on_start()
async def start() -> None:
    while not HERE.with_name("go").exists():
        await asyncio.sleep(0.01)

@app.action("work")
async def work() -> str:
    return "done"
"""
WEB = """
app.attach(DaebusHttp(0))

@app.route("/ping")
async def ping() -> str:
    return "pong"
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(APP)
    return path


@contextmanager
def shop(target: Path, redis_url: str, *options: str, **environment: str) -> Generator[tuple[Service, int]]:
    """``daebus run`` with a port for probes, and that port."""
    with reserve_port("127.0.0.1", 0) as held:
        port: int = held.getsockname()[1]
    command = (*DAEBUS, "run", f"{target}:app", f"--health-port={port}", *options)
    with launched(*command, cwd=target.parent, DAEBUS_REDIS_URL=redis_url, **environment) as service:
        yield service, port


def answer(port: int, path: str) -> tuple[int, str]:
    found = httpx.get(f"http://127.0.0.1:{port}{path}")
    return found.status_code, found.json()["status"]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_service_is_alive_before_it_is_ready_and_unready_before_it_stops(target: Path, daebus_redis_url: str) -> None:
    target.write_text(APP + WEB)
    with shop(target, daebus_redis_url) as (service, port):
        service.wait_for("answering probes")
        assert answer(port, "/health/live") == (200, "live")
        assert answer(port, "/health/ready") == (503, "starting")
        target.with_name("go").touch()
        until(lambda: answer(port, "/health/ready") == (200, "ready"))
        checks = httpx.get(f"http://127.0.0.1:{port}/health/ready").json()["checks"]
        assert [one["name"] for one in checks] == ["bus", "event loop"]
        assert httpx.get(f"{service.url}/health/ready").status_code == 404  # the public port does not show it
        service.process.send_signal(signal.SIGTERM)
        until(lambda: answer(port, "/health/ready") == (503, "stopping"))
        assert httpx.get(f"{service.url}/ping").text == "pong"  # it still works as before
        assert answer(port, "/health/live") == (200, "live")
        assert service.process.wait(15) == 0, service.text()
        (draining,) = service.lines("service draining")
        assert draining["seconds"] == 2.5


def test_workers_share_the_port_for_probes(target: Path, daebus_redis_url: str) -> None:
    target.with_name("go").touch()
    with shop(target, daebus_redis_url, "--workers=2") as (service, port):
        until(lambda: len(service.lines("service started")) == 2)
        assert answer(port, "/health/ready") == (200, "ready")
        assert service.stop() == 0, service.text()


def test_a_port_for_probes_that_is_taken_is_one_message(target: Path, daebus_redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with launched(
            *DAEBUS, "run", f"{target}:app", f"--health-port={port}", DAEBUS_REDIS_URL=daebus_redis_url
        ) as one:
            assert one.process.wait(20) == 1
            assert f"127.0.0.1:{port}" in one.text()
            assert "Traceback" not in one.text()


@pytest.mark.parametrize("value", ["x", "70000"])
def test_a_wrong_port_in_the_environment_is_one_message(target: Path, daebus_redis_url: str, value: str) -> None:
    variables = {"DAEBUS_REDIS_URL": daebus_redis_url, "DAEBUS_HEALTH_PORT": value}
    with launched(*DAEBUS, "run", f"{target}:app", cwd=target.parent, **variables) as one:
        assert one.process.wait(20) == 1
        assert one.text() == f"Error: DAEBUS_HEALTH_PORT is '{value}': write a number from 1 to 65535.\n"


class Systemd:
    """The socket on which systemd is notified."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def read(self) -> list[str]:
        while True:
            try:
                self.told += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Generator[Systemd]:
    made = Systemd(tmp_path / "notify")
    yield made
    made.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_systemd_is_told_of_the_start_the_end_and_the_progress_of_the_event_loop(
    target: Path, daebus_redis_url: str, systemd: Systemd, workers: int
) -> None:
    variables = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "150000"}
    with shop(target, daebus_redis_url, f"--workers={workers}", **variables) as (service, _):
        service.wait_for("answering probes")
        assert systemd.read() == []
        target.with_name("go").touch()
        until(lambda: systemd.read().count("WATCHDOG=1") > 3)
        assert systemd.told[0] == "READY=1"
        assert systemd.told[1].startswith("STATUS=shop ")
        assert service.stop() == 0, service.text()
        told = systemd.read()
        assert told.index("READY=1") < told.index("STOPPING=1")
        assert told.count("READY=1") == told.count("STOPPING=1") == 1


def test_a_watchdog_of_another_process_is_not_reset(target: Path, daebus_redis_url: str, systemd: Systemd) -> None:
    target.with_name("go").touch()
    variables = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "50000", "WATCHDOG_PID": str(os.getpid())}
    with shop(target, daebus_redis_url, **variables) as (service, _):
        until(lambda: "READY=1" in systemd.read())
        assert service.stop() == 0, service.text()
        assert "WATCHDOG=1" not in systemd.read()
