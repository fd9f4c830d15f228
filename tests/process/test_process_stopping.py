"""Every stop ends, whatever the handlers do, and the log names what did not end: real processes, real signals."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.processes import Line, Service, launched
from tests.support import until
from websockets.asyncio.client import connect

from daebus import Action, Bus, Channel, Daebus, Settings
from daebus.errors import NoSuchService
from daebus.testing import running

HEAD = """
import asyncio, re, sys, threading, time
from collections.abc import AsyncIterator, Iterator
from dependency_injector import providers
from litestar.response import Stream
from daebus import *

async def stubborn(what: str) -> None:
    print(f"at {what}\\n", end="", flush=True)  # in one piece, as others write, too
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

EVENTS = Channel[int]("events")
KEPT = Channel[int]("kept", durable=True)
"""
TAIL = """
if __name__ == "__main__":
    app.run(port=0)
"""


@pytest.fixture
def redis_url(daebus_redis_url: str) -> str:
    return daebus_redis_url


@asynccontextmanager
async def started(folder: Path, redis_url: str, body: str) -> AsyncGenerator[tuple[Service, Bus]]:
    path = folder / "service.py"
    path.write_text(HEAD + body + TAIL)
    with launched(sys.executable, str(path), DAEBUS_REDIS_URL=redis_url) as service:
        await until(lambda: service.lines("service started"), 120)
        async with Bus(redis_url) as bus:
            yield service, bus


async def at(service: Service, *places: str) -> None:
    await until(lambda: {f"at {place}" for place in places} <= set(service.output().splitlines()), 120)


async def stopped(service: Service) -> int:
    """Its exit code. It is the test that waits longer than the stop may take, as the machine may be busy."""
    service.process.send_signal(signal.SIGTERM)
    await until(lambda: service.process.poll() is not None, 60)
    return service.process.wait()


def handlers_of(lines: list[Line]) -> set[object]:
    return {line["handler"] for line in lines}


def unended(service: Service) -> list[str]:
    """What the last line names."""
    line = service.lines()[-1]
    assert line["level"] == "critical", service.text()
    return msgspec.convert(line["unended"], list[str])


STUBBORN = """
app = Daebus("service", settings=Settings(stop_timeout=0.5))
app.attach(DaebusHttp(host="127.0.0.1"))
app.attach(DaebusWebSocket())

@app.action("act")
async def act() -> None:
    await stubborn("act")

@app.action("count")
async def count() -> AsyncIterator[int]:
    await stubborn("count")
    yield 1

@app.listen(EVENTS)
async def live(event: int) -> None:
    await stubborn("live")

@app.listen(KEPT)
async def kept(event: int) -> None:
    await stubborn("kept")

@app.background("tick", 0.1)
async def tick() -> None:
    await stubborn("tick")

@app.background("each", 0.1, scope="replica")
async def each() -> None:
    await stubborn("each")

@app.route("/page")
async def page() -> None:
    await stubborn("page")

@app.route("/stream")
async def stream() -> Stream:
    async def body() -> AsyncIterator[bytes]:
        yield b"1"
        await stubborn("stream")
    return Stream(body())

@app.socket("say")
async def say() -> None:
    await stubborn("say")

@app.on_stop()
async def bye() -> None:
    await stubborn("bye")
"""


async def test_handlers_that_swallow_their_cancellation(tmp_path: Path, redis_url: str) -> None:
    async with (
        started(tmp_path, redis_url, STUBBORN) as (service, bus),
        httpx.AsyncClient(timeout=60) as http,
    ):
        await bus.send(Action[None, None]("act", service="service"))
        await bus.send(Action[None, None]("count", service="service"))
        await bus.publish(Channel[int]("events"), 1)
        await bus.publish(Channel[int]("kept", durable=True), 1)
        asking = asyncio.create_task(http.get(f"{service.url}/page"))
        reading = asyncio.create_task(http.get(f"{service.url}/stream"))
        async with connect(service.sockets()) as socket:
            await socket.send('{"type": "say"}')
            await at(service, "act", "count", "live", "kept", "tick", "each", "page", "stream", "say")
            assert await stopped(service) == 1
        await asyncio.gather(asking, reading, return_exceptions=True)
        assert service.output().splitlines()[-1] == "at bye"
        assert service.lines("service stopped") == []
        handlers = {"action act", "action count", "listen events", "listen kept", "background tick", "background each"}
        handlers |= {"route GET /page", "route GET /stream", "socket say", "on_stop bye"}
        # What runs for them inside of daebus and Litestar is not told.
        assert sorted(name.split(" at ")[0] for name in unended(service)) == sorted(handlers)
        assert all("service.py:" in name and "in stubborn" in name for name in unended(service))


SOCKETS = """
app = Daebus("service", settings=Settings(stop_timeout=0.5))
app.attach(DaebusHttp(host="127.0.0.1"))
app.attach(DaebusWebSocket())

@app.socket("wait")
async def wait() -> None:
    print("at wait\\n", end="", flush=True)
    await asyncio.sleep(1000)

@app.socket("swallow")
async def swallow() -> None:
    await stubborn("swallow")
"""


@pytest.mark.parametrize(("handler", "code"), [("wait", 0), ("swallow", 1)])
async def test_a_client_whose_handler_is_cancelled_is_told_that_the_service_stops(
    handler: str, code: int, tmp_path: Path, redis_url: str
) -> None:
    async with started(tmp_path, redis_url, SOCKETS) as (service, _), connect(service.sockets()) as socket:
        await socket.send(f'{{"type": "{handler}"}}')
        await at(service, handler)
        assert await stopped(service) == code
        await socket.wait_closed()
        assert socket.close_code == 1001
        (told,) = service.lines("handlers of WebSocket clients cancelled by the stop")
        assert told["clients"] == 1
        assert "service.py" in str(told["handlers"])
        outcomes = [line["event"] for line in service.lines() if "stop" in str(line["event"])]
        assert len([event for event in outcomes if event == "service stopped" or "did not" in str(event)]) == 1


THREADS = """
app = Daebus("service", settings=Settings(stop_timeout=0.5))

def stuck(what: str) -> None:
    print(f"at {what}\\n", end="", flush=True)  # in one piece, as others write, too
    time.sleep(1000)

@app.action("pooled")
def pooled() -> None:
    stuck("pooled")

@app.thread("own")
def own(running: Running) -> None:
    stuck("own")

@app.action("ask")
async def ask() -> None:
    await asyncio.to_thread(stuck, "executor")

@app.action("make")
async def make() -> None:
    threading.Thread(target=stuck, args=["made"], name="made").start()
"""


async def test_threads_that_do_not_end(tmp_path: Path, redis_url: str) -> None:
    async with started(tmp_path, redis_url, THREADS) as (service, bus):
        for action in ("pooled", "ask", "make"):
            await bus.send(Action[None, None](action, service="service"))
        await at(service, "pooled", "own", "executor", "made")
        assert await stopped(service) == 1
        named = [name.split(" at ")[0] for name in unended(service)]
        assert {"action pooled", "thread own"} <= set(named)
        assert all("service.py" in name and "in stuck" in name for name in unended(service))


async def test_a_thread_of_the_executor_alone(tmp_path: Path, redis_url: str) -> None:
    async with started(tmp_path, redis_url, THREADS.replace('@app.thread("own")\n', "")) as (service, bus):
        await bus.send(Action[None, None]("ask", service="service"))
        await at(service, "executor")
        assert await stopped(service) == 1
        assert any("in stuck" in name for name in unended(service))


CLOSING = """
async def connect() -> AsyncIterator[str]:
    yield "connection"
    await stubborn("close")

async def open_session() -> AsyncIterator[str]:
    yield "session"
    await stubborn("session")

class Container(ServiceContainer):
    connection = providers.Resource(connect)
    session = PerMessage(open_session)

app = Daebus("service", container=Container(), settings=Settings(stop_timeout=0.5))

@app.action("act")
async def act(*, session: str, connection: str) -> None:
    pass

@app.on_stop()
async def bye() -> None:
    await asyncio.sleep(1000)
"""


async def test_what_does_not_close(tmp_path: Path, redis_url: str) -> None:
    async with started(tmp_path, redis_url, CLOSING) as (service, bus):
        await bus.send(Action[None, None]("act", service="service"))
        await at(service, "session")
        assert await stopped(service) == 1
        told = handlers_of(service.lines("handler does not end, although it was cancelled"))
        assert told == {"action act", "resource connect"}
        (failed,) = service.lines("on_stop handler failed")
        assert "bye" in str(failed["reason"])


BLOCKED = """
app = Daebus("service", settings=Settings(stop_timeout=0.5))

@app.action("spin")
async def spin() -> None:
    print("at spin", flush=True)
    while True:
        pass

@app.action("match")
async def match() -> None:
    print("at match", flush=True)
    re.match(r"(a+)+$", "a" * 50 + "b")

@app.action("nap")
async def nap() -> None:
    print("at nap", flush=True)
    time.sleep(1000)
"""


async def test_a_regular_expression_that_holds_the_gil(tmp_path: Path, redis_url: str) -> None:
    """It lets Python's signal handler run, but no other thread: the process is ended from C, with its stacks."""
    async with started(tmp_path, redis_url, BLOCKED) as (service, bus):
        await bus.send(Action[None, None]("match", service="service"))
        await at(service, "match")
        assert await stopped(service) == 1
        assert "Timeout (0:00:04.5" in service.text()
        assert "in match" in service.text()


@pytest.mark.parametrize("action", ["spin", "nap"])
async def test_an_event_loop_that_is_blocked(tmp_path: Path, redis_url: str, action: str) -> None:
    async with started(tmp_path, redis_url, BLOCKED) as (service, bus):
        await bus.send(Action[None, None](action, service="service"))
        await at(service, action)
        assert await stopped(service) == 1
        (told,) = service.lines("service is stopping, but its event loop is blocked")
        assert told["handler"] == f"action {action}"
        assert f"in {action}" in str(told["at"])
        (line,) = service.lines("service did not stop in time, and exits")
        assert f"action {action} at" in str(line["unended"])


async def test_a_component_that_blocks_the_event_loop_as_it_closes(tmp_path: Path, redis_url: str) -> None:
    body = """
from contextlib import asynccontextmanager

app = Daebus("service", settings=Settings(stop_timeout=0))

class Port:
    @asynccontextmanager
    async def serving(self, run):
        yield
        time.sleep(1000)

app.attach(Port())
"""
    async with started(tmp_path, redis_url, body) as (service, _):
        assert await stopped(service) == 1
        (named,) = unended(service)
        assert "component Port at" in named
        assert "in Port.serving" in named


async def test_a_stop_that_hangs_while_the_service_starts(tmp_path: Path, redis_url: str) -> None:
    body = """
app = Daebus("service", settings=Settings(stop_timeout=0.5))

@app.on_start()
async def begin() -> None:
    await stubborn("begin")
"""
    path = tmp_path / "service.py"
    path.write_text(HEAD + body + TAIL)
    with launched(sys.executable, str(path), DAEBUS_REDIS_URL=redis_url) as service:
        await at(service, "begin")
        assert await stopped(service) == 1
        assert any("on_start begin" in name for name in unended(service))


async def test_the_work_in_hand_shares_one_deadline(tmp_path: Path, redis_url: str) -> None:
    """Each part of the service has something in hand that takes longer than all may, and lets itself be cut off."""
    body = (
        STUBBORN.replace('await stubborn("', 'await hang("').replace("stop_timeout=0.5", "stop_timeout=1")
        + """
async def hang(what: str) -> None:
    print(f"at {what}\\n", end="", flush=True)  # in one piece, as others write, too
    await asyncio.sleep(1000)
"""
    )
    async with (
        started(tmp_path, redis_url, body) as (service, bus),
        httpx.AsyncClient(timeout=60) as http,
    ):
        await bus.send(Action[None, None]("act", service="service"))
        await bus.publish(Channel[int]("events"), 1)
        await bus.publish(Channel[int]("kept", durable=True), 1)
        asking = asyncio.create_task(http.get(f"{service.url}/page"))
        reading = asyncio.create_task(http.get(f"{service.url}/stream"))
        async with connect(service.sockets()) as socket:
            await socket.send('{"type": "say"}')
            await at(service, "act", "live", "kept", "tick", "each", "page", "stream", "say")
            assert await stopped(service) == 1  # as on_stop had to be cut off
        assert (await asking).status_code == 503
        with pytest.raises(httpx.RemoteProtocolError):
            await reading
        assert service.lines("service did not stop in time, and exits") == []
        assert service.lines("handler does not end, although it was cancelled") == []
        cut = " ".join(str(line["handlers"]) for line in service.lines("work cut off by the stop"))
        for handler in ("action act", "listen events", "listen kept", "background tick", "background each"):
            assert f"{handler} at " in cut


async def test_a_service_in_a_test_stops_whatever_its_handlers_do(caplog: pytest.LogCaptureFixture) -> None:
    """Its process is not its own: what does not end is left behind, and told."""
    app = Daebus("service", settings=Settings(stop_timeout=0.1))
    begun, released = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()

    @app.action("act")
    async def act() -> None:
        begun.set()
        await stubborn()

    @app.on_stop()
    async def bye() -> None:
        await stubborn()

    async with asyncio.timeout(60):
        async with running(app) as service:
            await service.send(Action[None, None]("act", service="service"))
            await begun.wait()
    told = [
        record.getMessage()
        for record in caplog.records
        if record.getMessage().startswith("handler does not end, although it was cancelled")
    ]
    released.set()
    assert ["handler='action act'" in line for line in told] == [True, False]
    assert "handler='on_stop bye'" in told[1]
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_no_more_is_taken_from_the_bus_while_responses_are_sent(tmp_path: Path, redis_url: str) -> None:
    body = """
app = Daebus("drains", service="drains", settings=Settings(stop_timeout=20))
app.attach(DaebusHttp())

async def parts() -> AsyncIterator[bytes]:
    for _ in range(400):
        yield b"part"
        await asyncio.sleep(0.01)

@app.route("/download")
async def download() -> Stream:
    return Stream(parts())

@app.action("begin")
async def begin() -> None:
    print("begun", flush=True)
    await asyncio.sleep(1)
"""
    begin = Action[None, None]("begin", service="drains")
    async with started(tmp_path, redis_url, body) as (service, bus), httpx.AsyncClient(timeout=60) as http:
        async with http.stream("GET", f"{service.url}/download") as response:
            received = response.aiter_bytes()
            await anext(received)
            in_hand = asyncio.create_task(bus.call(begin))
            await until(lambda: "begun" in service.output())
            service.process.send_signal(signal.SIGTERM)
            await until(lambda: service.lines("service stopping"))

            async def is_refused() -> bool:
                with suppress(NoSuchService):
                    await bus.call(begin)
                    return False
                return True

            await until(is_refused)
            rest = b"".join([part async for part in received])
        assert rest.endswith(b"part")
        await in_hand
        begun = service.output().count("begun")
        assert service.process.wait(20) == 0
        assert begun <= 2
        assert not service.lines("work cut off by the stop")
