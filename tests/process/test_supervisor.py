"""Workers: real processes that share a port, killed at will."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.processes import DAEBUS, Service, launched

from daebus import Action, BlockingBus
from daebus.errors import ServiceError

APP = """
import asyncio, os, pathlib
from daebus import Daebus, Settings

app = Daebus("workers")

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
WEB = """
from daebus import DaebusHttp

app.attach(DaebusHttp(host="127.0.0.1"))

@app.route("/pid")
async def http_pid() -> int:
    return os.getpid()
"""


@pytest.fixture
def redis_url(daebus_redis_url: str) -> str:
    return daebus_redis_url


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


@contextmanager
def supervised(target: Path, redis_url: str, *options: str) -> Generator[Service]:
    """Two workers, which must be gone at the end."""
    with launched(*DAEBUS, "run", str(target), "--workers=2", *options, DAEBUS_REDIS_URL=redis_url) as service:
        eventually(lambda: len(service.lines("service started")) == 2, service)
        pids = children(service.process.pid)
        assert len(pids) == 2
        with all_killed(service):
            yield service
        eventually(lambda: not any(is_alive(pid) for pid in pids), service)


@contextmanager
def all_killed(service: Service) -> Generator[None]:
    """No worker outlives the test: one that holds the GIL never notices that its supervisor is gone."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            service.process.send_signal(signal.SIGSTOP)  # it starts no others
            for pid in children(service.process.pid):
                os.kill(pid, signal.SIGKILL)
        service.process.kill()


def eventually(condition: Callable[[], bool], service: Service) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, f"it did not happen in time:\n{service.text()}"
        time.sleep(0.01)


def children(pid: int) -> set[int]:
    stats: list[str] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            stats.append(path.read_text())
    fields = [(int(stat.split(" ", 1)[0]), stat.rpartition(")")[2].split()) for stat in stats]
    return {child for child, (state, parent, *_) in fields if int(parent) == pid and state != "Z"}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def answering(port: int) -> set[int]:
    """The workers that answer, each on a connection of its own."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Connection": "close"}) as client:
        return {int(client.get("/pid").text) for _ in range(8)}


def test_workers_share_a_port_and_are_replaced(target: Path, redis_url: str) -> None:
    target.write_text(APP + WEB)
    with supervised(target, redis_url, "--port=0") as service, BlockingBus(redis_url) as bus:
        before = children(service.process.pid)
        eventually(lambda: answering(service.port) == before, service)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(service.lines("listening")) == 3, service)
        after = children(service.process.pid)
        assert len(after & before) == 1
        eventually(lambda: answering(service.port) == after, service)
        assert len({line["port"] for line in service.lines("listening")}) == 1
        problems = service.problems()
        assert len(problems) == 1, problems
        (line,) = problems
        assert line["event"] == "worker ended, starting another one"
        assert (line["pid"], line["how"]) == (victim, "killed by SIGKILL")

        with ThreadPoolExecutor() as pool:
            reply = pool.submit(bus.call, Action[None, int]("slow", service="workers"))
            eventually(lambda: "at work" in service.output(), service)
            assert service.stop(signal.SIGINT) == 0
            assert reply.result(5) in after
        assert len(service.lines("service stopping")) == 2


def test_workers_do_not_outlive_their_supervisor(target: Path, redis_url: str) -> None:
    with supervised(target, redis_url) as service:
        service.process.kill()
        eventually(lambda: len(service.lines("service stopping")) == 2, service)


def test_second_signal_kills_the_workers(target: Path, redis_url: str) -> None:
    with supervised(target, redis_url) as service:
        with BlockingBus(redis_url) as bus:
            bus.send(Action[None, None]("hang", service="workers"))
        eventually(lambda: "at work" in service.output(), service)
        end = time.monotonic() + 5
        while service.process.poll() is None and time.monotonic() < end:
            # Those that follow the first one closely count as the same.
            service.process.terminate()
            time.sleep(0.02)
        assert service.process.wait(5) == 128 + signal.SIGTERM


def test_taken_port_is_said_once(target: Path, redis_url: str) -> None:
    target.write_text(APP + WEB)
    with socket.socket() as taken:
        # Even one that would be shared with us: it is of another service.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = (f"--port={port}", "--workers=3")
        with launched(*DAEBUS, "run", str(target), *options, DAEBUS_REDIS_URL=redis_url) as service:
            assert service.process.wait(60) == 1
            (line,) = service.text().splitlines()
            assert line.startswith(f"Error: Cannot listen on 127.0.0.1:{port}: ")


def test_target_that_names_no_app(target: Path, redis_url: str) -> None:
    with launched(*DAEBUS, "run", f"{target}:ap", "--workers=2", DAEBUS_REDIS_URL=redis_url) as service:
        assert service.process.wait(60) == 2
        assert service.text() == f"Error: {target} has no 'ap'; did you mean 'app'?\n"


def started_pid(service: Service, pids: set[int]) -> int:
    """The worker that came after those of `pids`, once it serves."""
    starts = len(pids)
    eventually(lambda: len(service.lines("service started")) > starts, service)
    (pid,) = children(service.process.pid) - pids
    return pid


def test_a_place_whose_workers_crash_takes_no_other_with_it(target: Path, redis_url: str) -> None:
    target.write_text(APP + WEB)
    with supervised(target, redis_url, "--port=0") as service:
        healthy, victim = sorted(children(service.process.pid))
        seen = {healthy, victim}
        for _ in range(6):
            os.kill(victim, signal.SIGKILL)
            victim = started_pid(service, seen)
            seen.add(victim)
        assert healthy in children(service.process.pid)
        eventually(lambda: answering(service.port) == {healthy, victim}, service)
        lines = [line for line in service.problems() if line["how"] == "killed by SIGKILL"]
        pauses = [float(str(line["next_in_seconds"])) for line in lines]
        assert pauses == sorted(pauses)
        assert pauses[0] < pauses[-1] / 4
        assert [(line["level"], line["early_ends"]) for line in lines[-2:]] == [("critical", 5), ("critical", 6)]
        assert service.stop() == 0


def test_a_worker_that_does_not_start_takes_no_other_with_it(target: Path, redis_url: str) -> None:
    target.write_text(APP + WEB)
    with supervised(target, redis_url, "--port=0") as service:
        healthy, victim = sorted(children(service.process.pid))
        target.with_name("broken").touch()
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: service.text().count("failed: AssertionError") >= 6, service)
        assert answering(service.port) == {healthy}
        target.with_name("broken").unlink()
        eventually(lambda: len(answering(service.port)) == 2, service)
        assert service.stop() == 0


def test_gives_up_where_no_worker_starts_any_more(target: Path, redis_url: str) -> None:
    program = (
        "import asyncio, sys; from daebus.process.supervisor import Supervisor; "
        "sys.exit(asyncio.run(Supervisor(['run', sys.argv[1]], 2, tries=2).run()))"
    )
    with launched(sys.executable, "-c", program, str(target), DAEBUS_REDIS_URL=redis_url) as service:
        eventually(lambda: len(service.lines("service started")) == 2, service)
        pids = children(service.process.pid)
        target.with_name("broken").touch()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert service.process.wait(60) == 1
        (line,) = service.lines("no worker can start any more: giving up")
        assert (line["level"], line["workers"], line["how"]) == ("critical", 2, "exit code 1")


HANGS = """
import re

@app.action("spin")
async def spin() -> None:
    while True:
        pass

@app.action("match")
async def match() -> None:
    print("at work", flush=True)
    re.match(r"(a+)+$", "a" * 50 + "b")
"""


@pytest.mark.parametrize(("action", "line"), [("spin", "while True:"), ("match", "re.match(")])
def test_a_worker_that_hangs_is_replaced(target: Path, redis_url: str, action: str, line: str) -> None:
    target.write_text(APP + WEB + HANGS)
    number = next(n for n, text in enumerate(target.read_text().splitlines(), 1) if line in text)
    with (
        launched(
            *(*DAEBUS, "run", str(target), "--workers=2", "--port=0"),
            DAEBUS_REDIS_URL=redis_url,
            DAEBUS_HUNG_AFTER="4",
        ) as service,
        BlockingBus(redis_url) as bus,
        all_killed(service),
    ):
        eventually(lambda: len(service.lines("service started")) == 2, service)
        before = children(service.process.pid)
        bus.send(Action[None, None](action, service="workers"))
        told = service.wait_for("worker hangs and is replaced")
        assert told["level"] == "critical"
        assert told["pid"] in before
        assert re.search(rf'app.py", line ({number}|{number + 1}) in {action}', str(told["stack"]))
        eventually(lambda: len(service.lines("service started")) >= 3, service)
        assert told["pid"] not in children(service.process.pid)


def test_a_worker_that_hangs_does_not_outlive_the_stop(target: Path, redis_url: str) -> None:
    target.write_text(
        APP.replace('Daebus("workers")', 'Daebus("workers", settings=Settings(stop_timeout=0.5))') + HANGS
    )
    with supervised(target, redis_url) as service:
        with BlockingBus(redis_url) as bus:
            bus.send(Action[None, None]("match", service="workers"))
        eventually(lambda: "at work" in service.output(), service)
        assert service.stop() == 1
        assert "in match" in service.text()


def test_workers_run_in_the_event_loop_that_is_named(target: Path, redis_url: str) -> None:
    body = """
@app.on_start()
async def tell() -> None:
    print(type(asyncio.get_running_loop()).__module__, flush=True)
"""
    target.write_text(APP + body)
    with supervised(target, redis_url, "--loop=asyncio") as service:
        assert service.output().split() == ["asyncio.unix_events"] * 2
        assert service.stop() == 0


def test_workers_that_end_all_at_once_are_soon_replaced(target: Path, redis_url: str) -> None:
    """A slot waits long only while another worker serves."""
    rounds = 5
    with supervised(target, redis_url) as service:
        for number in range(1, rounds + 1):
            for pid in children(service.process.pid):
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: len(service.lines("service started")) >= 2 * (number + 1), service)  # noqa: B023
        pauses = [float(str(line["next_in_seconds"])) for line in service.problems() if "next_in_seconds" in line]
        assert len(pauses) == 2 * rounds
        assert max(min(pair) for pair in zip(pauses[::2], pauses[1::2], strict=True)) <= 1
        assert service.stop() == 0


DEADLY = """
@app.route("/die")
async def die() -> None:
    os._exit(3)

@app.action("ask")
async def ask() -> int:
    return os.getpid()
"""


def test_fifty_requests_that_kill_their_workers_do_not_end_the_service(target: Path, redis_url: str) -> None:
    """Other requests go on being answered, and at the end there are as many workers as before."""
    target.write_text(
        (APP + WEB + DEADLY).replace('Daebus("workers")', 'Daebus("workers", settings=Settings(lease=1))')
    )
    ask = Action[None, int]("ask", service="workers")
    with supervised(target, redis_url, "--port=0") as service, BlockingBus(redis_url) as bus:
        answers, over, sent, killed = list[int](), threading.Event(), 0, 0

        def ask_on() -> None:
            while not over.is_set():
                # A call that was in flight on two workers that died is an error; it is asked again.
                with suppress(ServiceError):
                    answers.append(bus.call(ask, timeout=30))
                time.sleep(0.01)

        with ThreadPoolExecutor() as pool:
            asking = pool.submit(ask_on)
            try:
                while sent < 50 or killed < 8:
                    sent += 1
                    with suppress(httpx.ConnectError):
                        try:
                            httpx.get(f"{service.url}/die", timeout=60)
                        except (httpx.ReadError, httpx.RemoteProtocolError):
                            killed += 1
                    time.sleep(0.1)
                before = len(answers)
                eventually(lambda: len(answers) > before + 20, service)
            finally:
                over.set()
            asking.result(60)
        assert len(set(answers)) > 2
        eventually(lambda: len(children(service.process.pid)) == 2, service)
        eventually(lambda: len(answering(service.port)) == 2, service)
        assert service.stop() == 0
