"""``daebus health``: the exit code says whether all instances of a service are ready."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE

import msgspec
import pytest
from click.testing import CliRunner, Result
from dependency_injector import providers

from daebus import Action, Daebus, ServiceContainer
from daebus.cli import main
from daebus.errors import Conflict
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORK = Action[int, int]("work", service="shop")


class Store:
    """Is well, or not."""

    error: Exception | None = None

    async def check_health(self) -> None:
        if self.error is not None:
            raise self.error


class Container(ServiceContainer):
    store = providers.Singleton(Store)


def make_app() -> Daebus[Container]:
    app = Daebus("shop", container=Container())

    @app.action(WORK)
    async def work(number: int) -> int:
        return number

    return app


async def health(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["health", *arguments])


async def test_a_ready_service() -> None:
    async with running(make_app()):
        result = await health("shop")
        assert result.exit_code == 0, result.output
        head, line = result.stdout.splitlines()
        assert head.split() == ["INSTANCE", "STATE", "READY", "HOST", "PID", "FAILING", "CHECKS"]
        assert line.split()[1:3] == ["running", "yes"]
        here = await health("shop", "--here", "--json")
        assert here.exit_code == 0, here.output
        assert msgspec.json.decode(here.stdout)["ready"] is True


async def test_one_instance_that_is_not_ready_is_a_failure() -> None:
    second = make_app()
    async with running(make_app()), running(second):
        second.container.store().error = Conflict("the disk is \x1b[31mfull")
        result = await health("shop")
        assert result.exit_code == 1
        lines = result.stdout.splitlines()[1:]
        assert sorted(line.split()[2] for line in lines) == ["no", "yes"]
        assert r"store: the disk is \x1b[31mfull" in result.stdout


async def test_no_instance_is_a_failure() -> None:
    async with running(make_app()):
        pass
    result = await health("shop")
    assert result.exit_code == 1
    assert result.stderr.strip() == "No instance of 'shop' answers."
    unknown = await health("shp")
    assert unknown.exit_code == 1
    assert "did you mean 'shop'?" in unknown.stderr


FROZEN = """
from daebus import Daebus, Settings
app = Daebus("shop", settings=Settings(lease=30))

@app.action("work")
async def work() -> int:
    return 1

app.run()
"""


async def test_an_instance_that_does_not_answer_is_a_failure(daebus_redis_url: str) -> None:
    environment = {"DAEBUS_REDIS_URL": daebus_redis_url}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FROZEN, stderr=PIPE, env=environment)
    assert process.stderr is not None
    try:
        while b"service started" not in await process.stderr.readline():
            assert process.returncode is None
        process.send_signal(signal.SIGSTOP)
        result = await health("shop")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[1].split()[1:3] == ["silent", "no"]
    finally:
        process.kill()
        await process.communicate()
