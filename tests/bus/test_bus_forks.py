"""A bus in a process that was forked from the one that opened it: an error, and no call that never ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.processes import launched

from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

# The child says what it gets; the parent's bus goes on working.
START = """
import asyncio, multiprocessing, os, signal
from daebus import Action, BlockingBus, Bus, BlockingClients, Daebus
from daebus.errors import ConfigurationError, NoSuchService

PING = Action[None, None]("ping", service="nobody")
URL = os.environ["DAEBUS_REDIS_URL"]


def said_by_child(attempt):
    # What a forked process says, with a limit: it must not hang.
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            attempt()
            text = "nothing was raised"
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    text = os.read(read, 65536).decode()
    os.waitpid(pid, 0)
    print(text, flush=True)


def works(bus):
    try:
        bus.call(PING)
    except NoSuchService:
        print("the bus works", flush=True)
"""
BLOCKING = (
    START
    + """
bus = BlockingBus(URL)
with bus:
    works(bus)
    said_by_child(lambda: bus.call(PING))
    said_by_child(lambda: bus.send(PING))
    said_by_child(lambda: list(bus.stream(Action[None, None]("ping", service="nobody"))))
    said_by_child(lambda: bus.__exit__(None, None, None))
    works(bus)
bus = BlockingBus(URL)
said_by_child(lambda: works(bus.__enter__()) or bus.__exit__(None, None, None))
"""
)
LOOP = (
    START
    + """
async def main():
    async with Bus(URL) as bus:
        try:
            await bus.call(PING)
        except NoSuchService:
            pass
        said_by_child(lambda: asyncio.run(bus.call(PING)))
        said_by_child(lambda: asyncio.run(bus.__aexit__(None, None, None)))
        try:
            await bus.call(PING)
        except NoSuchService:
            print("the bus works", flush=True)

asyncio.run(main())
"""
)
HANDLER = (
    START
    + """
from daebus.testing import running

app = Daebus("shop")

@app.action("fork")
def fork(*, blocking_bus: BlockingBus, blocking_clients: BlockingClients) -> None:
    said_by_child(lambda: blocking_bus.call(PING))
    said_by_child(lambda: blocking_clients.connected())

async def main():
    async with running(app, redis_url=URL) as service:
        await service.call(fork)

asyncio.run(main())
"""
)
POOL = (
    START
    + """
def ask(_):
    signal.alarm(60)
    try:
        bus.call(PING)
    except Exception as error:
        return f"{type(error).__name__}: {error}"

with BlockingBus(URL) as bus:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        print(pool.map(ask, [1])[0], flush=True)
"""
)
REFUSED = "ConfigurationError: A bus that was opened in process "


def lines(program: str, tmp_path: Path) -> list[str]:
    (tmp_path / "program.py").write_text(program)
    with launched(
        sys.executable, "-W", "ignore", str(tmp_path / "program.py"), DAEBUS_REDIS_URL=private_redis_url()
    ) as run:
        assert run.process.wait(90) == 0, run.text()
        return run.output().splitlines()


def test_a_blocking_bus_is_refused_and_the_one_it_was_forked_from_goes_on(tmp_path: Path) -> None:
    first, *refused, left, last, child, anew = lines(BLOCKING, tmp_path)
    assert first == last == child == "the bus works"
    assert len(refused) == 3
    assert all(line.startswith(REFUSED) and "Open a bus in each process" in line for line in refused)
    assert left == "nothing was raised"
    assert anew == "nothing was raised"


def test_a_bus_is_refused(tmp_path: Path) -> None:
    refused, left, works = lines(LOOP, tmp_path)
    assert refused.startswith(REFUSED)
    assert (left, works) == ("nothing was raised", "the bus works")


def test_those_of_a_service_are_refused_in_processes_that_a_handler_forks(tmp_path: Path) -> None:
    assert all(line.startswith(REFUSED) for line in lines(HANDLER, tmp_path))


def test_a_pool_of_processes_is_told(tmp_path: Path) -> None:
    (refused,) = lines(POOL, tmp_path)
    assert refused.startswith(REFUSED)
