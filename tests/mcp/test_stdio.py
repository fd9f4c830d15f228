"""``daebus mcp``: an assistant starts it, and its calls go to the running service over the bus."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.guide.tools import app
from tests.processes import ran
from tests.support import until

from daebus.testing import running
from mcp import Client, StdioServerParameters

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "daebus", "mcp")


@asynccontextmanager
async def assistant(url: str, *, token: str | None = None) -> AsyncGenerator[Client]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({} if token is None else {"DAEBUS_TOKEN": token})}
    arguments = [*COMMAND, "tests.guide.tools:app", "--redis-url", url]
    command = StdioServerParameters(command=sys.executable, args=arguments, env=environment, cwd=ROOT)
    async with Client(command, read_timeout_seconds=60) as client:
        yield client


async def test_the_tools_are_those_of_the_app_and_its_running_service_answers(daebus_redis_url: str) -> None:
    told: list[str | None] = []

    async def noted(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with running(app, redis_url=daebus_redis_url), assistant(daebus_redis_url) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["find_order", "cancel_order", "report"]
        found = await client.call_tool("find_order", {"number": 1})
        assert (found.is_error, found.structured_content) == (False, {"number": 1, "state": "paid"})
        listed = await client.call_tool("report", {"value": 2}, progress_callback=noted)
        assert listed.structured_content == {"result": ["day 1: 3 orders", "day 2: 3 orders"]}
        await until(lambda: len(told) == 2)
        wrong = await client.call_tool("find_order", {"number": "one"})
        assert (wrong.is_error, "$.number" in str(wrong.content)) == (True, True)
        refused = await client.call_tool("cancel_order", {"number": 1})
        assert (refused.is_error, "unauthorized" in str(refused.content)) == (True, True)


async def test_it_acts_for_the_user_whose_token_is_in_the_environment(daebus_redis_url: str) -> None:
    async with running(app, redis_url=daebus_redis_url), assistant(daebus_redis_url, token="ada") as client:
        assert not (await client.call_tool("cancel_order", {"number": 1})).is_error
        found = await client.call_tool("find_order", {"number": 1})
        assert found.structured_content == {"number": 1, "state": "cancelled by ada"}


async def test_while_the_service_does_not_run_the_assistant_is_told_so(daebus_redis_url: str) -> None:
    async with assistant(daebus_redis_url) as client:
        failed = await client.call_tool("find_order", {"number": 1})
        assert (failed.is_error, "orders" in str(failed.content)) == (True, True)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("tests.guide.shop:app", "has no tools: open an action with @action(..., tool=True)"),
        ("tests.guide.tools:ap", "did you mean"),
    ],
)
def test_what_has_no_tools_is_an_error(target: str, told: str) -> None:
    ended = ran(sys.executable, *COMMAND, target, cwd=ROOT)
    assert ended.returncode != 0
    assert told in ended.stderr
    assert ended.stdout == ""
