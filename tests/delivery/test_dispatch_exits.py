"""A handler that wants its process to exit has failed, and its process goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest
from tests.processes import Service, launched
from tests.support import raw_redis, until
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from daebus import Action, Bus, Channel, Daebus, StreamAction
from daebus.errors import Internal, StartupError
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORKER = """
import asyncio, sys
from collections.abc import AsyncIterator, Iterator
from litestar.response import Stream
from dependency_injector import providers
from daebus import Channel, Client, Daebus, DaebusHttp, DaebusWebSocket, PerMessage, Running, ServiceContainer

def opened() -> Iterator[list[int]]:
    yield []

class Container(ServiceContainer):
    held = PerMessage(opened)

app = Daebus("leaving", container=Container())
app.attach(DaebusHttp(host="127.0.0.1"))
app.attach(DaebusWebSocket())

async def leave() -> None:
    await asyncio.sleep(0)
    sys.exit(3)

@app.route("/exit")
async def page() -> str:
    sys.exit(3)

@app.route("/in_pool")
def page_in_pool() -> str:
    sys.exit(3)

@app.route("/in_body")
async def in_body() -> Stream:
    async def body() -> AsyncIterator[bytes]:
        yield b"1"
        sys.exit(3)
    return Stream(body())

@app.route("/in_body_in_pool")
async def in_body_in_pool() -> Stream:
    def body() -> Iterator[bytes]:
        yield b"1"
        sys.exit(3)
    return Stream(body())

@app.route("/in_task")
async def in_task() -> str:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leave())
    return "here"

@app.route("/well")
async def page_well() -> str:
    asyncio.get_running_loop().create_task(leave())  # nobody waits for it
    return "well"

@app.socket_connect()
async def connected(client: Client) -> None:
    if "x-exit" in client.headers:
        sys.exit(3)

@app.socket("exit")
async def message() -> None:
    sys.exit(3)

@app.socket("exit_in_pool")
def message_in_pool() -> None:
    sys.exit(3)

@app.socket("exit_in_task")
async def message_in_task() -> None:
    await asyncio.gather(leave())

@app.socket("well")
async def message_well() -> str:
    return "well"

@app.socket_disconnect()
async def disconnected() -> None:
    sys.exit(3)

@app.on_stop()
async def bye() -> None:
    sys.exit(3)

@app.action("exit")
async def on_exit() -> None:
    sys.exit(3)

@app.action("interrupt")
async def on_interrupt() -> None:
    raise KeyboardInterrupt

@app.action("exit_in_pool")
def exit_in_pool() -> None:
    sys.exit(3)

@app.action("exit_in_scope")
def exit_in_scope(*, held: list[int]) -> None:
    sys.exit(3)

@app.action("exit_in_stream")
async def exit_in_stream() -> AsyncIterator[int]:
    yield 1
    sys.exit(3)

@app.action("well")
async def well() -> int:
    return 7

@app.listen(Channel[int]("leaving_live"))
async def on_live(number: int) -> None:
    sys.exit(3)

@app.listen(Channel[int]("leaving_kept", durable=True), retries=0)
async def on_kept(number: int) -> None:
    sys.exit(3)

@app.background("task", 0.05)
async def task() -> None:
    sys.exit(3)

@app.background("task_in_pool", 0.05)
def task_in_pool() -> None:
    sys.exit(3)

@app.thread("loop")
def loop(running: Running) -> None:
    sys.exit(3)

app.run(service="leaving", port=0)
"""

STREAM = StreamAction[None, int]("exit_in_stream", service="leaving")
HANDLERS = {
    *("action exit", "action interrupt", "action exit_in_pool", "action exit_in_scope", "action exit_in_stream"),
    *("background task", "background task_in_pool", "thread loop", "listen leaving_live", "listen leaving_kept"),
    *("route GET /exit", "route GET /in_pool", "route GET /in_task"),
    *("socket_connect", "socket exit", "socket exit_in_pool", "socket exit_in_task", "socket_disconnect"),
}


async def test_a_handler_that_wants_to_exit_has_failed_and_its_process_goes_on(tmp_path: Path) -> None:
    program, url = tmp_path / "worker.py", private_redis_url()
    program.write_text(WORKER)
    with launched(sys.executable, str(program), cwd=tmp_path, DAEBUS_REDIS_URL=url) as service:
        service.wait_for("service started")
        async with Bus(url) as bus, raw_redis(url) as redis:
            for name in ("exit", "interrupt", "exit_in_pool", "exit_in_scope"):
                with pytest.raises(Internal):
                    await bus.call(Action[None, None](name, service="leaving"))
            with pytest.raises(Internal):
                assert [item async for item in bus.stream(STREAM)] == []
            await bus.publish(Channel[int]("leaving_live"), 1)
            await bus.publish(Channel[int]("leaving_kept", durable=True), 1)
            await until(lambda: redis.exists("daebus:{leaving}:dead"))
            await check_pages(service.url)
            await check_messages(service)
            await until(lambda: {str(line["handler"]) for line in service.lines("handler failed")} == HANDLERS)
            assert await bus.call(Action[None, int]("well", service="leaving")) == 7
        assert "SystemExit: 3" in service.text()
        assert service.stop() == 0
        assert len(service.lines("handler failed", handler="on_stop bye")) == 1


async def check_pages(url: str) -> None:
    """Each request fails for itself: those after it are answered."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        for path in ("/exit", "/in_pool", "/in_task"):
            assert (await http.get(path)).status_code == 500
            assert (await http.get("/well")).text == "well"
        for path in ("/in_body", "/in_body_in_pool"):
            with pytest.raises(httpx.RemoteProtocolError):  # it has begun with 200, and is not all there
                await http.get(path)
            assert (await http.get("/well")).text == "well"


async def check_messages(service: Service) -> None:
    """Each message fails for itself: its connection goes on."""
    async with connect(service.sockets()) as socket:
        for kind, outcome in [("exit", "error"), ("exit_in_pool", "error"), ("exit_in_task", "error")]:
            for message, wanted in ((kind, outcome), ("well", "response")):
                await socket.send(f'{{"type": "{message}"}}')
                assert f'"type":"{wanted}"' in str(await socket.recv())
    with pytest.raises(InvalidStatus):
        await connect(service.sockets(), additional_headers={"x-exit": "1"})


async def test_an_on_start_handler_that_wants_to_exit_stops_the_start() -> None:
    app = Daebus("leaving")

    @app.on_start()
    async def begin() -> None:
        sys.exit(3)

    with pytest.raises(StartupError, match=r"on_start begin.*failed: RuntimeError: on_start begin raised SystemExit"):
        async with running(app):
            pass
