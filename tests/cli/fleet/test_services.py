"""``daebus services``: one line for each service, or the instances and handlers of one."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator

import msgspec
import pytest
from click.testing import CliRunner, Result

from daebus import Action, Daebus, Settings
from daebus.cli import main
from daebus.errors import Conflict
from daebus.testing import RunningService, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

WORK = Action[int, int]("work", service="shop")


@pytest.fixture
async def shop() -> AsyncGenerator[RunningService]:
    app = Daebus("shop", settings=Settings(version="2.0"))

    @app.action(WORK)
    async def work(number: int) -> int:
        if number < 0:
            raise Conflict("no \x1b[31mnegatives")
        return number

    async with running(app) as service:
        await service.call(WORK, 1)
        with pytest.raises(Conflict):
            await service.call(WORK, -1)
        yield service


async def services(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["services", *arguments])


@pytest.mark.usefixtures("shop")
async def test_a_line_for_each_service() -> None:
    result = await services()
    assert result.exit_code == 0, result.output
    head, line = (row.split() for row in result.stdout.splitlines())
    assert head == ["SERVICE", "INSTANCES", "VERSION", "MESSAGES", "ERRORS", "IN", "FLIGHT", "QUEUED", "OLDEST", "DEAD"]
    assert line == ["shop", "1", "2.0", "2", "1", "0", "0", "-", "0"]


@pytest.mark.usefixtures("shop")
async def test_the_instances_and_handlers_of_one_service_with_its_last_errors() -> None:
    result = await services("shop")
    assert result.exit_code == 0, result.output
    instances, handlers, errors = (part.splitlines() for part in result.stdout.split("\n\n"))
    assert instances[1].split()[1:3] == ["running", "2.0"]
    assert handlers[1].split()[:5] == ["action", "work", "2", "1", "conflict"]
    assert errors[1].split()[1:4] == ["action", "work", "conflict:"]
    assert r"no \x1b[31mnegatives" in errors[1]


@pytest.mark.usefixtures("shop")
async def test_as_json_for_programs() -> None:
    for arguments in ((), ("shop",)):
        (line,) = (await services(*arguments, "--json")).stdout.splitlines()
        found = msgspec.json.decode(line)
        assert found["service"] == "shop"
        assert found["instances"][0]["stats"]["handlers"][0]["errors"] == {"conflict": 1}


@pytest.mark.usefixtures("shop")
async def test_a_name_that_never_ran_is_an_error() -> None:
    result = await services("shp")
    assert result.exit_code == 1
    assert "did you mean 'shop'?" in result.stderr


async def test_no_service_is_said_to_be_none() -> None:
    result = await services()
    assert result.exit_code == 0
    assert "No service has run here within a week." in result.stderr


async def test_a_service_that_has_stopped_is_shown_with_the_time_since() -> None:
    async with running(Daebus("shop")):
        pass
    line = (await services()).stdout.splitlines()[1]
    assert line.startswith("shop     0, since ")


@pytest.mark.usefixtures("shop")
async def test_it_is_shown_again_and_again_until_ctrl_c() -> None:
    command = [sys.executable, "-m", "daebus", "services", "shop", "--watch", "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    for _ in range(2):
        assert msgspec.json.decode(await process.stdout.readline())["service"] == "shop"
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, b"Traceback" in errors) == (0, False)


async def test_top_needs_a_terminal() -> None:
    result = await asyncio.to_thread(CliRunner().invoke, main, ["top"])
    assert result.exit_code == 2
    assert "top needs a terminal" in result.stderr
