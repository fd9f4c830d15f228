"""A handler that wants its process to exit has failed, and its process goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.processes import launched
from tests.support import raw_redis, until

from daebus import Action, Bus, Channel, StreamAction
from daebus.errors import Internal
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORKER = """
import sys
from collections.abc import AsyncIterator, Iterator
from dependency_injector import providers
from daebus import Channel, Daebus, PerMessage, Running, ServiceContainer

def opened() -> Iterator[list[int]]:
    yield []

class Container(ServiceContainer):
    held = PerMessage(opened)

app = Daebus("leaving", container=Container())

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

app.run(service="leaving")
"""

STREAM = StreamAction[None, int]("exit_in_stream", service="leaving")
HANDLERS = {
    *("action exit", "action interrupt", "action exit_in_pool", "action exit_in_scope", "action exit_in_stream"),
    *("background task", "background task_in_pool", "thread loop"),
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
            await until(lambda: len({str(line["handler"]) for line in service.lines("handler failed")}) == 10)
            assert await bus.call(Action[None, int]("well", service="leaving")) == 7
        assert {str(line["handler"]) for line in service.lines("handler failed")} >= HANDLERS
        assert "SystemExit: 3" in service.text()
        assert service.stop() == 0
