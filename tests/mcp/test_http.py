"""Actions as tools of assistants, over HTTP: the official client, of each protocol version, against a real service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from mcp.shared.exceptions import MCPError
from tests.guide.tools import app
from tests.mcp.assistants import assistant
from tests.support import until

from daebus import Daebus, DaebusHttp, Settings
from daebus.testing import RunningService, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running(app) as service:
        yield service


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_tools_have_the_names_the_docs_and_the_schemas_of_the_actions(
    service: RunningService, mode: str
) -> None:
    async with assistant(service, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert [*tools] == ["find_order", "cancel_order", "report"]
    find = tools["find_order"]
    assert find.title == "Find an order by its number."
    assert find.description is not None
    assert find.description.endswith("The state is one of: paid, sent, cancelled.")
    number = {"type": "integer", "minimum": 1, "description": "The number on the receipt."}
    assert find.input_schema["properties"] == {"number": number}
    assert find.input_schema["required"] == ["number"]
    assert find.output_schema is not None
    assert find.output_schema["properties"]["state"] == {"type": "string", "description": "How far it is."}
    assert tools["report"].input_schema["properties"] == {"value": {"type": "integer"}}


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_a_call_is_answered_by_the_handler(service: RunningService, mode: str) -> None:
    async with assistant(service, mode=mode) as client:
        found = await client.call_tool("find_order", {"number": 1})
    assert not found.is_error
    assert found.structured_content == {"number": 1, "state": "paid"}


async def test_errors_are_told_to_the_assistant_so_that_it_can_correct_its_call(service: RunningService) -> None:
    async with assistant(service) as client:
        missing = await client.call_tool("find_order", {"number": 7})
        assert (missing.is_error, '"code":"not_found"' in str(missing.content)) == (True, True)
        wrong = await client.call_tool("find_order", {"number": 0})
        assert (wrong.is_error, "$.number" in str(wrong.content)) == (True, True)
        stray = await client.call_tool("report", {"days": 3})
        assert (stray.is_error, "Expected `int`" in str(stray.content)) == (True, True)
        with pytest.raises(MCPError, match="did you mean 'find_order'"):
            await client.call_tool("find_orders", {"number": 1})


async def test_a_tool_acts_for_its_user_and_refuses_strangers(service: RunningService) -> None:
    async with assistant(service) as client:
        refused = await client.call_tool("cancel_order", {"number": 1})
        assert (refused.is_error, '"code":"unauthorized"' in str(refused.content)) == (True, True)
    async with assistant(service, token="ada") as client:
        done = await client.call_tool("cancel_order", {"number": 1})
        assert (done.is_error, done.structured_content) == (False, {"result": None})
        found = await client.call_tool("find_order", {"number": 1})
        assert found.structured_content["state"] == "cancelled by ada"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_items_of_a_stream_are_progress_and_together_the_result(service: RunningService, mode: str) -> None:
    told: list[tuple[float, str | None]] = []

    async def noted(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        told.append((progress, message))

    async with assistant(service, mode=mode) as client:
        found = await client.call_tool("report", {"value": 3}, progress_callback=noted)
        await until(lambda: len(told) == 3)
    days = [f"day {day}: 3 orders" for day in (1, 2, 3)]
    assert found.structured_content == {"result": days}
    assert sorted(told) == [(number, f'"{day}"') for number, day in enumerate(days, 1)]


async def test_an_unexpected_failure_tells_nothing_of_the_code() -> None:
    broken = Daebus("broken")
    broken.attach(DaebusHttp(port=0))

    @broken.action("fail", tool=True)
    async def fail() -> None:
        raise RuntimeError("the secret of the house")

    @broken.action("stream", tool=True)
    async def stream() -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("the secret of the house")

    async with running(broken) as service, assistant(service) as client:
        for name in ("fail", "stream"):
            failed = await client.call_tool(name, {})
            assert failed.is_error
            assert "secret" not in str(failed.content)
            assert '"code":"internal"' in str(failed.content)


@pytest.mark.parametrize("name", ["sleep", "sleep_long"])
async def test_a_tool_that_takes_too_long_is_cancelled(name: str) -> None:
    slow, ended = Daebus("slow"), list[str]()
    slow.attach(DaebusHttp(port=0))

    @slow.action("sleep", tool=True, timeout=0.2)
    async def sleep() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("sleep")

    @slow.action("sleep_long", tool=True, timeout=0.2)
    async def sleep_long() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("sleep_long")

    async with running(slow) as service, assistant(service) as client:
        late = await client.call_tool(name, {})
        assert (late.is_error, "did not finish in 0.2 s" in str(late.content)) == (True, True)
        assert ended == [name]


async def test_two_calls_of_a_tool_wait_for_each_other_where_the_action_says_so() -> None:
    busy, most, now = Daebus("busy"), 0, 0
    busy.attach(DaebusHttp(port=0))

    @busy.action("work", tool=True, concurrency=1)
    async def work() -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1

    async with running(busy) as service, assistant(service) as client:
        await asyncio.gather(*(client.call_tool("work", {}) for _ in range(5)))
    assert most == 1


async def test_other_sites_are_refused_like_at_each_route(service: RunningService) -> None:
    headers = {"origin": "https://evil.example", "content-type": "application/json"}
    assert (await service.http.post("/mcp", json={}, headers=headers)).status_code == 403


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_are_no_sessions_to_listen_to_or_to_end(service: RunningService, method: str) -> None:
    answer = await service.http.request(method, "/mcp", headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_service_stops_while_a_call_is_in_progress() -> None:
    slow, begun = Daebus("stopped", settings=Settings(stop_timeout=0.2)), asyncio.Event()
    slow.attach(DaebusHttp(port=0))

    @slow.action("sleep", tool=True)
    async def sleep() -> None:
        begun.set()
        await asyncio.sleep(600)

    call: dict[str, object] = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "sleep", "arguments": {}},
    }
    accepts = {"accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(timeout=60) as http:
        async with running(slow) as service:
            url = f"http://127.0.0.1:{service.ports['http']}/mcp"
            asked = asyncio.create_task(http.post(url, json=call, headers=accepts))
            await begun.wait()
        ended, _ = await asyncio.wait({asked}, timeout=60)
    assert ended == {asked}
    assert asked.exception() is not None or "isError" not in asked.result().text


async def test_an_app_without_tools_has_no_such_path() -> None:
    plain = Daebus("plain")
    plain.attach(DaebusHttp(port=0))
    async with running(plain) as service:
        assert (await service.http.post("/mcp", json={})).status_code == 404
