"""Who blocks the event loop is told, with the handler and the line, and nobody else is: in real processes."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.processes import Service, launched
from tests.support import until

from daebus import Action, Bus, Daebus, DaebusHttp
from daebus.errors import ConfigurationError
from daebus.testing import running

SERVICE = """
import asyncio, re, sys, time
from daebus import Daebus

app = Daebus("service")

@app.action("nap")
async def nap(seconds: float) -> None:
    time.sleep(seconds)

@app.action("spin")
async def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

@app.action("pooled")
def pooled(seconds: float) -> None:
    time.sleep(seconds)

@app.action("wait")
async def wait(seconds: float) -> None:
    await asyncio.sleep(seconds)

@app.action("match")
async def match(letters: float) -> None:
    re.match(r"(a+)+$", "a" * int(letters) + "b")

if __name__ == "__main__":
    app.run(loop=sys.argv[1])
"""
LIMIT = 0.5
BLOCKED = "event loop is blocked"
GOES_ON = "event loop runs again"
HELD = "event loop was blocked: C code has held the GIL"


@pytest.fixture
def redis_url(daebus_redis_url: str) -> str:
    return daebus_redis_url


@asynccontextmanager
async def served(
    folder: Path, redis_url: str, loop: str = "asyncio", blocked_after: str = str(LIMIT)
) -> AsyncGenerator[tuple[Service, Bus]]:
    path = folder / "service.py"
    path.write_text(SERVICE)
    command = (sys.executable, str(path), loop)
    with launched(*command, DAEBUS_REDIS_URL=redis_url, DAEBUS_BLOCKED_AFTER=blocked_after) as service:
        await until(lambda: service.lines("service started"), 120)
        async with Bus(redis_url) as bus:
            yield service, bus


async def ask(bus: Bus, action: str, number: float) -> None:
    await bus.call(Action[float, None](action, service="service"), number, timeout=120)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("action", ["nap", "spin"])
async def test_a_handler_that_blocks_is_named(tmp_path: Path, redis_url: str, action: str, loop: str) -> None:
    async with served(tmp_path, redis_url, loop) as (service, bus):
        await ask(bus, action, 4 * LIMIT)
        told = await service.logged(BLOCKED)
        assert told["level"] == "warning"
        assert told["handler"] == f"action {action}"
        assert f"in {action}" in str(told["at"])
        assert "service.py:" in str(told["at"])
        assert isinstance(told["seconds"], float)
        assert told["seconds"] >= LIMIT
        went_on = await service.logged(GOES_ON)
        assert isinstance(went_on["seconds"], float)
        assert went_on["seconds"] >= 3 * LIMIT


async def test_one_that_blocks_again_and_again_does_not_flood_the_log(tmp_path: Path, redis_url: str) -> None:
    async with served(tmp_path, redis_url) as (service, bus):
        for _ in range(9):
            await ask(bus, "nap", 3 * LIMIT)
        lines = service.lines(BLOCKED, handler="action nap")
        assert [line["times"] for line in lines] == [1, 2, 4, 8]


async def test_what_holds_the_gil_is_told_afterwards(tmp_path: Path, redis_url: str) -> None:
    async with served(tmp_path, redis_url) as (service, bus):
        letters = 20
        while not service.lines(HELD):
            letters += 1
            await ask(bus, "match", letters)
            assert letters < 32
        told, *_ = service.lines(HELD)  # the line may come after the answer, and then another call has held it, too
        assert told["handler"] == "action match"
        assert "in match" in str(told["at"])
        await ask(bus, "nap", 4 * LIMIT)
        await service.logged(BLOCKED, handler="action nap")
        events = [line["event"] for line in service.lines()]
        # It was over when it was told, and is not told to be over.
        assert GOES_ON not in events[events.index(HELD) : events.index(BLOCKED)]


async def test_what_does_not_block_is_not_told(tmp_path: Path, redis_url: str) -> None:
    async with served(tmp_path, redis_url, blocked_after="3") as (service, bus):
        await asyncio.gather(ask(bus, "wait", 5), ask(bus, "pooled", 5))
        service.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(6)
        service.process.send_signal(signal.SIGCONT)
        await ask(bus, "wait", 4)
        assert service.lines(BLOCKED) == []
        assert service.lines(HELD) == []


async def test_it_can_be_turned_off(tmp_path: Path, redis_url: str) -> None:
    async with served(tmp_path, redis_url, blocked_after="0") as (service, bus):
        await ask(bus, "nap", 2.5)
        assert service.lines(BLOCKED) == []


async def test_a_test_is_told_too(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("DAEBUS_BLOCKED_AFTER", "0.1")
    app = Daebus("service")

    @app.action("nap")
    async def nap() -> None:
        time.sleep(1)  # noqa: ASYNC251  # it is what is to be found

    async with running(app) as service:
        await service.call(nap)
        await until(lambda: BLOCKED in caplog.text)
    assert "handler='action nap'" in caplog.text


async def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEBUS_BLOCKED_AFTER", "soon")
    app = Daebus("service")

    @app.action("ping")
    async def ping() -> None:
        """Nothing is to be done."""

    with pytest.raises(ConfigurationError, match="DAEBUS_BLOCKED_AFTER is 'soon': give a number of seconds"):
        async with running(app):
            pass


async def test_what_blocks_before_the_service_has_started_is_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAEBUS_BLOCKED_AFTER", "0.05")
    app = Daebus("importing")

    async def import_modules() -> None:
        """As the hook of Litestar that imports something large."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass

    app.attach(DaebusHttp(port=0, on_startup=[import_modules]))
    async with running(app) as service:
        assert (await service.http.get("/")).status_code == 404
    assert [record for record in caplog.records if record.getMessage().startswith(BLOCKED)] == []
