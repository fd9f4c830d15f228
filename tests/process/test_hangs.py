"""An event loop that hangs for ever: its work is done by others, and its process ends; in real processes."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.processes import Service, launched
from tests.support import until

from daebus import Action, Bus, Daebus, Settings
from daebus.errors import ConfigurationError
from daebus.testing import running

SERVICE = """
import asyncio, os, pdb, sys, time
from daebus import Daebus, DaebusHttp, Settings
from daebus.testing import running

hung_after = os.environ.get("HUNG_AFTER")
settings = Settings(lease=1.0, stop_timeout=0.5, hung_after=float(hung_after) if hung_after else None)
app = Daebus("service", settings=settings)
app.attach(DaebusHttp(host="127.0.0.1", port=0))
hangs = bool(os.environ.get("HANGS"))

def tell(what: str) -> None:
    print(f"{what}\\n", end="", flush=True)

@app.route("/ping")
async def ping() -> str:
    return "pong"

@app.action("work")
async def work(number: int) -> None:
    tell(f"begin {number}")
    if hangs:
        await asyncio.sleep(1000)
    tell(f"end {number}")

@app.action("hang")
async def hang() -> None:
    tell("begin hang")
    while hangs and not os.path.exists("goes-on"):
        time.sleep(0.1)
    tell("end hang")

@app.action("debug")
async def debug() -> None:
    stdin, _ = os.pipe()
    tell("begin debug")
    pdb.Pdb(stdin=os.fdopen(stdin), stdout=sys.stdout).set_trace()
    tell("end debug")

async def in_another_program() -> None:
    async with running(app, redis_url=os.environ["DAEBUS_REDIS_URL"]):
        await asyncio.sleep(1000)

if __name__ == "__main__":
    asyncio.run(in_another_program()) if os.environ.get("INSIDE") else app.run()
"""

WORK = Action[int, None]("work", service="service")
HANG = Action[None, None]("hang", service="service")
HANGS = "event loop hangs: no more heartbeats, so that other instances take over its work"
EXITS = "event loop hangs: the process exits"
LAPSE = "cut off for longer than its lease: others may have taken over its messages in flight"


@asynccontextmanager
async def served(folder: Path, redis_url: str, *, hangs: bool = False, **environment: str) -> AsyncGenerator[Service]:
    path = folder / "service.py"
    path.write_text(SERVICE)
    command = (sys.executable, str(path))
    with launched(
        *command, cwd=folder, DAEBUS_REDIS_URL=redis_url, HANGS="1" if hangs else "", **environment
    ) as service:
        await until(lambda: service.lines("service started"), 120)
        yield service


async def give_work(service: Service, bus: Bus) -> None:
    """It has three messages in hand, and then hangs."""
    for number in range(3):
        await bus.send(WORK, number)
    await until(lambda: service.output().count("begin") == 3)
    await bus.send(HANG)
    await until(lambda: "begin hang" in service.output())


async def is_done_by(other: Service) -> None:
    await until(lambda: {"end 0", "end 1", "end 2", "end hang"} <= set(other.output().splitlines()), 60)


async def test_a_process_whose_loop_hangs_exits_and_others_do_its_work(tmp_path: Path, daebus_redis_url: str) -> None:
    async with Bus(daebus_redis_url) as bus, served(tmp_path, daebus_redis_url, hangs=True, HUNG_AFTER="2") as hung:
        await give_work(hung, bus)
        async with served(tmp_path, daebus_redis_url) as other:
            await until(lambda: hung.process.poll() is not None, 60)
            assert hung.process.returncode == 1
            await is_done_by(other)
            (told,) = hung.lines(EXITS)
            assert (told["level"], told["handler"]) == ("critical", "action hang")
            assert "service.py:" in str(told["at"])
            assert "in hang" in str(told["at"])
            assert "in hang" in str(told["stack"])
            assert isinstance(told["seconds"], float)
            assert told["seconds"] >= 2
            with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", hung.port), timeout=5):
                pass


@pytest.mark.parametrize("variable", ["HUNG_AFTER", "DAEBUS_HUNG_AFTER"])
async def test_a_loop_that_hangs_in_another_program_gives_its_work_to_others_and_goes_on_after_a_lapse(
    tmp_path: Path, daebus_redis_url: str, variable: str
) -> None:
    inside = served(tmp_path, daebus_redis_url, hangs=True, INSIDE="1", **{variable: "2"})
    async with Bus(daebus_redis_url) as bus, inside as hung:
        await give_work(hung, bus)
        async with served(tmp_path, daebus_redis_url) as other:
            told = await hung.logged(HANGS)
            assert (told["level"], told["handler"]) == ("critical", "action hang")
            assert "in hang" in str(told["stack"])
            await is_done_by(other)
            assert hung.process.poll() is None
            (tmp_path / "goes-on").touch()
            await until(lambda: "end hang" in hung.output())
            await until(lambda: hung.lines(LAPSE))
            assert hung.lines("event loop runs again")
        await bus.send(WORK, 7)
        await until(lambda: "begin 7" in hung.output())


async def test_a_process_at_the_prompt_of_a_debugger_does_not_exit(tmp_path: Path, daebus_redis_url: str) -> None:
    async with Bus(daebus_redis_url) as bus, served(tmp_path, daebus_redis_url, HUNG_AFTER="1") as debugged:
        await bus.send(Action[None, None]("debug", service="service"))
        await debugged.logged(HANGS)
        await asyncio.sleep(1)
        assert debugged.process.poll() is None


async def test_a_process_that_was_stopped_does_not_hang(tmp_path: Path, daebus_redis_url: str) -> None:
    async with Bus(daebus_redis_url) as bus, served(tmp_path, daebus_redis_url, HUNG_AFTER="2") as stopped:
        stopped.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(5)
        stopped.process.send_signal(signal.SIGCONT)
        await bus.send(WORK, 1)
        await until(lambda: "end 1" in stopped.output())
        assert not stopped.lines(HANGS)
        assert stopped.stop() == 0


async def test_it_can_be_turned_off(tmp_path: Path, daebus_redis_url: str) -> None:
    blind = served(
        tmp_path, daebus_redis_url, hangs=True, HUNG_AFTER="0", DAEBUS_HUNG_AFTER="1", DAEBUS_BLOCKED_AFTER="0"
    )
    async with Bus(daebus_redis_url) as bus, blind as service:
        await bus.send(HANG)
        await until(lambda: "begin hang" in service.output())
        await asyncio.sleep(3)
        (tmp_path / "goes-on").touch()
        await until(lambda: "end hang" in service.output())
        assert service.stop() == 0
        assert service.problems() == []


async def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEBUS_HUNG_AFTER", "soon")
    app = Daebus("service", settings=Settings())

    @app.action("ping")
    async def ping() -> None:
        """Nothing is to be done."""

    with pytest.raises(ConfigurationError, match="DAEBUS_HUNG_AFTER is 'soon': give a number of seconds"):
        async with running(app):
            pass
