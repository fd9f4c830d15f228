"""Workers: real processes that share a port, killed at will."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from daebus import Action, BlockingBus
from daebus.app.supervisor import Supervisor
from daebus.testing import private_redis_url
from tests.examples.processes import DAEBUS, Service, launched

APP = """
import asyncio, os, pathlib
from daebus import Daebus, DaebusHttp

app = Daebus("workers")
app.attach(DaebusHttp(host="127.0.0.1"))

@app.route("/pid")
async def http_pid() -> int:
    return os.getpid()

@app.action("slow")
async def slow() -> int:
    print("at work", flush=True)
    await asyncio.sleep(1)
    return os.getpid()

@app.action("hang")
async def hang() -> None:
    print("at work", flush=True)
    await asyncio.sleep(60)

@app.on_start()
async def start() -> None:
    assert not pathlib.Path(__file__).with_name("broken").exists()
"""


@pytest.fixture
def redis_url() -> str:
    return private_redis_url()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


@pytest.fixture
def supervised(target: Path, redis_url: str) -> Generator[Service]:
    """Two workers on a free port."""
    with launched(*DAEBUS, "run", str(target), "--port=0", "--workers=2", DAEBUS_REDIS_URL=redis_url) as service:
        eventually(lambda: len(service.lines("listening")) == 2, service)
        pids = children(service.process.pid)
        yield service
        eventually(lambda: not any(is_alive(pid) for pid in pids), service)


def eventually(condition: Callable[[], bool], service: Service) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end, f"it did not happen in time:\n{service.text()}"
        time.sleep(0.01)


def children(pid: int) -> set[int]:
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    fields = [(int(stat.split(" ", 1)[0]), stat.rpartition(")")[2].split()) for stat in stats]
    return {child for child, (state, parent, *_) in fields if int(parent) == pid and state != "Z"}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def answering(port: int) -> set[int]:
    """The workers that answer, each on a connection of its own."""
    return {int(httpx.get(f"http://127.0.0.1:{port}/pid").text) for _ in range(8)}


def test_port_is_shared_and_a_dead_worker_is_replaced(supervised: Service) -> None:
    assert len({line["port"] for line in supervised.lines("listening")}) == 1
    before = children(supervised.process.pid)
    assert len(before) == 2
    eventually(lambda: answering(supervised.port) == before, supervised)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(supervised.lines("listening")) == 3, supervised)
    after = children(supervised.process.pid)
    assert len(after) == 2
    assert len(after & before) == 1
    eventually(lambda: answering(supervised.port) == after, supervised)
    (line,) = supervised.problems()
    assert (line["event"], line["pid"], line["how"]) == (
        "worker ended, another one starts",
        victim,
        "killed by SIGKILL",
    )
    assert supervised.stop(signal.SIGINT) == 0
    assert len(supervised.lines("service stopping")) == 2


def test_stop_waits_for_the_work_in_hand(supervised: Service, redis_url: str) -> None:
    with BlockingBus(redis_url) as bus, ThreadPoolExecutor() as pool:
        reply = pool.submit(bus.call, Action[None, int]("slow", service="workers"))
        eventually(lambda: "at work" in supervised.output(), supervised)
        workers = children(supervised.process.pid)
        assert supervised.stop() == 0
        assert reply.result(5) in workers


def test_workers_do_not_outlive_their_supervisor(supervised: Service) -> None:
    workers = children(supervised.process.pid)
    supervised.process.kill()
    eventually(lambda: not any(is_alive(pid) for pid in workers), supervised)
    assert len(supervised.lines("service stopping")) == 2


def test_second_signal_kills_the_workers(supervised: Service, redis_url: str) -> None:
    with BlockingBus(redis_url) as bus:
        bus.send(Action[None, None]("hang", service="workers"))
    eventually(lambda: "at work" in supervised.output(), supervised)
    end = time.monotonic() + 5
    while supervised.process.poll() is None and time.monotonic() < end:
        # Those that follow the first one closely count as the same.
        supervised.process.terminate()
        time.sleep(0.02)
    assert supervised.process.wait(5) == 128 + signal.SIGTERM


@pytest.mark.parametrize("share", [False, True])
def test_taken_port_is_said_once(target: Path, redis_url: str, share: bool) -> None:
    with socket.socket() as taken:
        if share:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = (f"--port={port}", "--workers=3")
        with launched(*DAEBUS, "run", str(target), *options, DAEBUS_REDIS_URL=redis_url) as service:
            assert service.process.wait(10) == 1
            (line,) = service.text().splitlines()
            assert line.startswith(f"Error: Cannot listen on 127.0.0.1:{port}: ")


def test_target_that_names_no_app(target: Path, redis_url: str) -> None:
    with launched(*DAEBUS, "run", f"{target}:ap", "--workers=2", DAEBUS_REDIS_URL=redis_url) as service:
        assert service.process.wait(10) == 2
        assert service.text() == f"Error: {target} has no 'ap'; did you mean 'app'?\n"


async def test_gives_up_where_workers_do_not_live(
    target: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAEBUS_REDIS_URL", redis_url)
    monkeypatch.setenv("DAEBUS_LOG_LEVEL", "WARNING")
    supervisor = Supervisor(["run", str(target), "--port=0"], 1, first_pause=0.01)
    target.with_name("broken").touch()
    assert await supervisor.run() == 1
    ...
