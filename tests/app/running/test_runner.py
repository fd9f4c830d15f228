"""`app.run()` as users run it: in processes of its own, ended by real signals."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.processes import Service, launched

from daebus import Action, BlockingBus, Daebus
from daebus.errors import ConfigurationError, Unavailable

SERVICE = """
import asyncio, os, signal, sys, threading, time
from daebus import Daebus, DaebusHttp

app = Daebus("service")

@app.action("ping")
async def ping() -> str:
    return "pong"

@app.action("slow")
async def slow() -> str:
    print("at work", flush=True)
    await asyncio.sleep(1)
    return "done"

@app.action("hang")
async def hang() -> None:
    print("at work", flush=True)
    await asyncio.sleep(60)

@app.action("block")
async def block() -> None:
    print("at work", flush=True)
    time.sleep(60)

@app.on_stop()
async def stop() -> None:
    print("on_stop", flush=True)
"""


@pytest.fixture
def redis_url(daebus_redis_url: str) -> str:
    return daebus_redis_url


@pytest.fixture
def bus(redis_url: str) -> Generator[BlockingBus]:
    with BlockingBus(redis_url) as bus:
        yield bus


def script(folder: Path, body: str, head: str = SERVICE) -> list[str]:
    path = folder / "service.py"
    path.write_text(head + body)
    return [sys.executable, str(path)]


def work(bus: BlockingBus, service: Service, action: str) -> None:
    """Have the service at work on a request whose reply nobody waits for."""
    bus.send(Action[None, Any](action, service="service"))
    wait_for_output(service, "at work")


def wait_for_output(service: Service, text: str) -> None:
    end = time.monotonic() + 60
    while text not in service.output():
        assert time.monotonic() < end, f"no {text!r} in:\n{service.output()}{service.text()}"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_in_hand_is_finished_before_a_graceful_stop(
    tmp_path: Path, redis_url: str, bus: BlockingBus, number: signal.Signals
) -> None:
    body = """
app.run(service="service")
print("after", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    with launched(*script(tmp_path, body), DAEBUS_REDIS_URL=redis_url) as service, ThreadPoolExecutor() as pool:
        service.wait_for("service started", service="service")
        reply = pool.submit(bus.call, Action[None, str]("slow", service="service"))
        wait_for_output(service, "at work")
        assert service.stop(number) == 0
        assert reply.result(5) == "done"
        assert service.output().split() == ["at", "work", "on_stop", "after", "True"]
        assert service.problems() == []


@pytest.mark.parametrize(("action", "number"), [("hang", signal.SIGTERM), ("block", signal.SIGINT)])
def test_second_signal_forces(
    tmp_path: Path, redis_url: str, bus: BlockingBus, action: str, number: signal.Signals
) -> None:
    with launched(*script(tmp_path, "app.run()"), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        work(bus, service, action)
        service.process.send_signal(number)
        if action == "hang":  # else the event loop is blocked, and nothing can be logged
            service.wait_for("service stopping")
        end = time.monotonic() + 5
        while service.process.poll() is None and time.monotonic() < end:
            # Those that follow the first one closely count as the same.
            service.process.send_signal(number)
            time.sleep(0.02)
        assert service.process.wait(5) == 128 + number
        assert service.text().splitlines()[-1] == f"Forced to exit by a second signal, {number.name}"
        assert "on_stop" not in service.output()


def test_stop_during_the_start(tmp_path: Path, redis_url: str) -> None:
    body = """
@app.on_start()
async def start() -> None:
    print("starting", flush=True)
    await asyncio.sleep(60)
app.run()
"""
    with launched(*script(tmp_path, body), DAEBUS_REDIS_URL=redis_url) as service:
        wait_for_output(service, "starting")
        assert service.stop() == 0
        assert service.text() == ""


def test_http_port_is_taken(tmp_path: Path, redis_url: str) -> None:
    body = """
@app.on_start()
async def start() -> None:
    print("on_start", flush=True)
app.attach(DaebusHttp())
app.run(host="127.0.0.1", port=int(sys.argv[1]))
"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with launched(*script(tmp_path, body), str(port), DAEBUS_REDIS_URL=redis_url) as service:
            assert service.process.wait(60) == 1
            assert service.text().splitlines() == [
                f"Error: Cannot listen on 127.0.0.1:{port}: another process has the port. "
                "Stop it, or choose another port."
            ]
            assert service.output() == ""


def test_http_is_served_and_stopped(tmp_path: Path, redis_url: str) -> None:
    body = """
app.attach(DaebusHttp())
@app.route("/slow")
async def slow_route() -> str:
    print("at work", flush=True)
    await asyncio.sleep(0.5)
    return "done"
app.run("service", host="127.0.0.1", port=0)
"""
    with launched(*script(tmp_path, body), DAEBUS_REDIS_URL=redis_url) as service, ThreadPoolExecutor() as pool:
        reply = pool.submit(httpx.get, f"{service.url}/slow")
        wait_for_output(service, "at work")
        assert service.stop() == 0
        assert reply.result(5).text == "done"
        assert service.problems() == []


LOOP = """
@app.on_start()
async def start() -> None:
    print(type(asyncio.get_running_loop()).__module__, flush=True)
"""


@pytest.mark.parametrize(
    ("run", "module"),
    [
        ("app.run()", "uvloop"),
        ("app.run(loop='uvloop')", "uvloop"),
        ("app.run(loop='asyncio')", "asyncio.unix_events"),
        ("sys.modules['uvloop'] = None; app.run()", "asyncio.unix_events"),
    ],
)
def test_event_loop_is_uvloop_where_that_is_installed(tmp_path: Path, redis_url: str, run: str, module: str) -> None:
    with launched(*script(tmp_path, LOOP + run), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        assert service.output().split() == [module]
        assert service.stop() == 0
        assert service.problems() == []


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (
            "sys.modules['uvloop'] = None; app.run(loop='uvloop')",
            "uvloop is not installed: pip install 'daebus[uvloop]', or choose the event loop 'asyncio'.",
        ),
        ("app.run(loop='trio')", "There is no event loop 'trio': choose 'uvloop' or 'asyncio'."),
    ],
)
def test_event_loop_that_there_is_not(tmp_path: Path, run: str, said: str) -> None:
    with launched(*script(tmp_path, run)) as service:
        assert service.process.wait(60) == 1
        assert service.text() == f"Error: {said}\n"


def test_what_was_loaded_at_the_start_is_not_collected_again_and_again(tmp_path: Path, redis_url: str) -> None:
    body = """
import gc
@app.action("look")
async def look() -> list[int]:
    return [gc.get_freeze_count(), *gc.get_threshold()]
before = gc.get_threshold()
app.run()
print(gc.get_freeze_count() == 0 and gc.get_threshold() == before)
"""
    with launched(*script(tmp_path, body), DAEBUS_REDIS_URL=redis_url) as service, BlockingBus(redis_url) as bus:
        service.wait_for("service started")
        frozen, young, *_ = bus.call(Action[None, list[int]]("look", service="service"))
        assert frozen > 10_000
        assert young == 10_000
        assert service.stop() == 0
        assert service.output().split() == ["on_stop", "True"]


def sound() -> Daebus:
    app = Daebus("service")

    @app.action("ping")
    async def ping() -> str:
        return "pong"

    return app


def miswired() -> Daebus:
    app = Daebus("service")

    @app.action("x")
    async def x(a: int, b: int) -> int:  # type: ignore[daebus-signature]
        return a + b

    return app


def failing(error: Exception) -> Daebus:
    app = Daebus("service")

    @app.on_start()
    async def start() -> None:
        raise error

    return app


@pytest.fixture
def started_wrongly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Generator[Callable[..., str]]:
    """Runs an app that does not start, in this process; returns what stderr says."""

    def start(app: Daebus, url: str | None, **environment: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as caught:
            app.run(redis_url=url)
        assert caught.value.code == 1
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        return capsys.readouterr().err

    monkeypatch.delenv("DAEBUS_REDIS_URL", raising=False)
    handlers, level = list(logging.root.handlers), logging.root.level
    yield start
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.mark.parametrize(
    ("app", "url", "environment", "said"),
    [
        (miswired(), None, {}, r"1 wiring mistake:[\s\S]*x\(b: int\)[\s\S]*test_runner.py:\d+[\s\S]*"),
        (Daebus("__main__"), None, {}, r"The service has no name: .*"),
        (
            sound(),
            None,
            {"DAEBUS_LOG_LEVEL": "LOUD"},
            r"The environment variable DAEBUS_LOG_LEVEL is 'LOUD'.*",
        ),
        (sound(), "http://x", {}, r"The Redis URL http://x does not start with redis://.*"),
        (sound(), "redis://127.0.0.1:1", {}, r"The server at redis://127.0.0.1:1/0 is not reachable: .*"),
        (sound(), None, {"DAEBUS_EMBEDDED": "0"}, r"No Redis URL is given, and DAEBUS_EMBEDDED=0 .*"),
        (failing(Unavailable("closed")), "", {}, r"on_start start \(\S*test_runner.py:\d+\) failed: closed"),
    ],
)
def test_failed_start_is_explained_once(
    redis_url: str,
    started_wrongly: Callable[..., str],
    app: Daebus,
    url: str | None,
    environment: dict[str, str],
    said: str,
) -> None:
    errors = started_wrongly(app, redis_url if url == "" else url, **environment)
    assert re.fullmatch(f"Error: {said}\n", errors), errors


def test_unexpected_failure_of_on_start(redis_url: str, started_wrongly: Callable[..., str]) -> None:
    *log, last = started_wrongly(failing(KeyError("missing")), redis_url).splitlines()
    line = next(json.loads(line) for line in log if "handler failed" in line)
    assert line["handler"] == "on_start start"
    assert "KeyError: 'missing'" in line["exception"]
    assert re.fullmatch(r"Error: on_start start \(\S*test_runner.py:\d+\) failed: KeyError: 'missing'", last)


def test_cause_of_a_failed_start_is_in_the_debug_log(started_wrongly: Callable[..., str]) -> None:
    errors = started_wrongly(sound(), "redis://127.0.0.1:1", DAEBUS_LOG_LEVEL="DEBUG").splitlines()
    line = next(json.loads(line) for line in errors if "service did not start" in line)
    assert "ConnectionRefusedError" in line["exception"]


def test_crash_is_logged(tmp_path: Path, redis_url: str, bus: BlockingBus) -> None:
    body = """
@app.action("crash")
async def crash() -> None:
    for task in asyncio.all_tasks():
        if task.get_name() == "service":
            task.cancel()
app.run()
"""
    with launched(*script(tmp_path, body), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        bus.call(Action[None, None]("crash", service="service"))
        assert service.process.wait(60) == 1
        assert [line["event"] for line in service.problems()] == ["service was cancelled"]


def test_failure_to_stop_is_logged(tmp_path: Path, redis_url: str) -> None:
    head = """
from collections.abc import Iterator
from dependency_injector import providers
from daebus import Daebus, ServiceContainer

def open_file() -> Iterator[str]:
    yield "file"
    raise OSError("the disk is full")

class Container(ServiceContainer):
    file = providers.Resource(open_file)

app = Daebus("service", container=Container())
"""
    with launched(*script(tmp_path, "app.run()", head), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        assert service.stop() == 1
        (line,) = service.problems()
        assert line["event"] == "service did not stop cleanly"
        assert str(line["exception"]).endswith("OSError: the disk is full")


def test_other_thread_than_the_main_one(tmp_path: Path, redis_url: str, bus: BlockingBus) -> None:
    body = """
threading.Thread(target=app.run, daemon=True).start()
signal.pause()
"""
    with launched(*script(tmp_path, body), DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started")
        assert bus.call(Action[None, str]("ping", service="service")) == "pong"
        assert service.stop() == -signal.SIGTERM  # as the signal is the main thread's business


async def test_running_event_loop_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="an event loop of its own, and one runs in this thread already"):
        Daebus("service").run()
