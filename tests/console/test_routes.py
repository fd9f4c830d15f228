"""What the page is told, and what it can do: against services that run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.console.looking import act, looking, state_with
from tests.console.market import ORDERS, PLACE, PLACED, Card, Item, Mails, OrderPlaced, PlaceOrder, shop
from tests.support import until

from daebus.connection.node import Node
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

ORDER = {"customer": "ada", "items": [{"sku": "CUP-001", "count": 2}], "payment": {"type": "card", "number": "42"}}


def named(entries: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    return next(one for one in entries if one[key] == value)


async def test_services_and_their_handlers_are_shown_as_they_are(node: Node) -> None:
    async with running(shop()) as service, running(shop()), looking(node) as client:
        for _ in range(4):
            await service.call(PLACE, PlaceOrder("ada", [Item("CUP-001")], Card("42")))
        fleet = await state_with(client, "/api/fleet", lambda state: state["services"])
        found = named(fleet["services"], "service", "shop")
        assert (found["states"], found["versions"], found["dead"]) == ({"running": 2}, ["2.4.0"], 0)
        view = await state_with(client, "/api/service", lambda state: state, service="shop")
        placed = named(view["handlers"], "title", "action place_order")
        assert (placed["total"], placed["failed"], placed["waiting"]) == (4, {}, 0)
        assert placed["lasting"][0] > 0
        assert [one["state"] for one in view["instances"]] == ["running", "running"]
        assert await state_with(client, "/api/service", lambda _: True, service="nobody") is None


async def test_a_page_sees_new_messages_within_a_second(node: Node) -> None:
    async with running(shop()) as service, looking(node) as client:
        loop, told = asyncio.get_running_loop(), 0.0

        def is_told(state: Any) -> bool:
            return any(one["title"] == "action place_order" and one["total"] == 1 for one in state["handlers"])

        watching = asyncio.create_task(state_with(client, "/api/service", is_told, service="shop"))
        await asyncio.sleep(0.1)
        await service.call(PLACE, PlaceOrder("ada", [Item("CUP-001")], Card("42")))
        told = loop.time()
        await watching
        assert loop.time() - told < 1


async def test_an_action_is_called_with_json_and_its_answer_is_text(node: Node) -> None:
    async with running(shop()), looking(node) as client:
        answer, end = await act(client, "/api/call", service="shop", action="place_order", payload=ORDER)
        assert '"total": 25.0' in answer["item"]
        assert end["end"] == 1
        (wrong,) = await act(client, "/api/call", service="shop", action="place_order", payload={**ORDER, "items": 1})
        assert (wrong["error"]["code"], "items" in wrong["error"]["message"]) == ("bad_request", True)
        (missing,) = await act(client, "/api/call", service="shop", action="nothing", timeout=1)
        assert missing["error"]["code"] == "no_such_action"
        (unsent,) = await act(client, "/api/call", service="shop", action="find_offers", headers={"bad name": "x"})
        assert unsent["error"]["code"] == "not_sent"


async def test_a_stream_is_told_as_it_comes_and_cancelled_when_the_page_leaves(node: Node) -> None:
    async with running(shop()), looking(node) as client:
        body = {"service": "shop", "action": "restock", "payload": 1000}
        async with client.stream("POST", "/api/call", json=body) as response:
            lines = response.aiter_lines()
            assert '\\"done\\": 1' in await anext(lines)
            assert '\\"done\\": 2' in await anext(lines)

        def is_idle(state: Any) -> bool:
            return bool(named(state["handlers"], "title", "action restock")["in_flight"] == 0)

        await state_with(client, "/api/service", is_idle, service="shop")


async def test_the_schemas_of_handlers_are_those_of_the_newest_instance(node: Node) -> None:
    async with running(shop()), looking(node) as client:
        info = (await client.get("/api/info", params={"service": "shop"})).json()
        taken = named(info["handlers"], "name", "place_order")["takes"]
        assert taken["$ref"].endswith("/PlaceOrder")
        assert set(info["schemas"]) >= {"PlaceOrder", "Item", "Card", "Invoice"}
        missing = await client.get("/api/info", params={"service": "nobody"})
        assert (missing.status_code, "No instance of 'nobody'" in missing.json()["detail"]) == (503, True)


async def dead(client: Any, search: str = "") -> list[dict[str, Any]]:
    found = (await client.get("/api/letters", params={"service": "mails", "search": search})).json()
    letters: list[dict[str, Any]] = found["letters"]
    return letters


async def test_dead_letters_are_found_shown_corrected_replayed_and_dropped(node: Node) -> None:
    mails = Mails()
    async with running(mails.app()) as service, looking(node) as client:
        for number in range(3):
            await service.publish(ORDERS, OrderPlaced(f"A-{number}", f"bad {number}"))
        await until(lambda: _has(client, 3))
        assert [one["id"] for one in await dead(client, "BAD 1")] == [(await dead(client))[1]["id"]]
        assert await dead(client, "nothing like this") == []
        newest, middle, oldest = await dead(client)
        whole = (await client.get("/api/letter", params={"service": "mails", "letter": newest["id"]})).json()
        assert (whole["facts"]["exception"], whole["is_json"]) == ("ValueError", True)
        assert "in on_order" in whole["traceback"]
        assert '"customer": "bad 2"' in whole["payload"]

        event = {"type": "order_placed", "order": "A-2", "customer": "ada"}
        replayed = await act(client, "/api/letters/replay", service="mails", ids=[newest["id"]], payload=event)
        assert replayed == [{"id": newest["id"], "problem": None}]
        await until(lambda: [one.customer for one in mails.sent] == ["ada"])
        dropped = await act(client, "/api/letters/drop", service="mails", ids=[middle["id"], newest["id"]])
        assert [bool(one["problem"]) for one in dropped] == [False, True]
        assert [one["id"] for one in await dead(client)] == [oldest["id"]]
        gone = await client.get("/api/letter", params={"service": "mails", "letter": newest["id"]})
        assert gone.status_code == 404
        both: dict[str, object] = {"service": "mails", "ids": [oldest["id"], middle["id"]], "payload": {}}
        assert (await client.post("/api/letters/replay", json=both)).status_code == 400


async def _has(client: Any, number: int) -> bool:
    return len(await dead(client)) == number


async def test_a_request_gets_its_corrected_payload(node: Node) -> None:
    async with running(shop()) as service, looking(node) as client:
        await service.send(PLACE, PlaceOrder("nobody", [Item("CUP-001")], Card("42")))
        letters: list[dict[str, Any]] = []

        async def is_dead() -> bool:
            letters[:] = (await client.get("/api/letters", params={"service": "shop"})).json()["letters"]
            return bool(letters)

        await until(is_dead)
        ids = [letters[0]["id"]]
        assert await act(client, "/api/letters/replay", service="shop", ids=ids, payload=ORDER) == [
            {"id": ids[0], "problem": None}
        ]
        await state_with(
            client,
            "/api/service",
            lambda state: named(state["handlers"], "title", "action place_order")["total"] == 2,
            service="shop",
        )
        assert not await is_dead()


@pytest.mark.parametrize(("channel", "durable"), [(ORDERS, "true"), (PLACED, "false")])
async def test_the_events_of_a_channel_come_in_batches(node: Node, channel: Any, durable: str) -> None:
    async with running(Mails().app()) as service, looking(node) as client:
        known = (await client.get("/api/channels")).json()
        assert {"channel": channel.name, "durable": durable == "true"} in known

        async def publish() -> None:
            for number in range(3):
                await service.publish(channel, OrderPlaced(f"A-{number}", "ada"))

        texts: list[str] = []

        def is_all(state: Any) -> bool:
            if not texts and not state["events"] and not publishing:
                publishing.append(asyncio.create_task(publish()))
            texts.extend(one["text"] for one in state["events"])
            return len(texts) == 3

        publishing: list[asyncio.Task[None]] = []
        await state_with(client, "/api/tail", is_all, channel=channel.name, durable=durable)
        assert ["A-0" in texts[0], "A-1" in texts[1], "A-2" in texts[2]] == [True, True, True]


@pytest.mark.parametrize("path", ["/api/fleet", "/api/service?service=mails", "/api/tail?channel=orders&durable=true"])
async def test_a_page_that_leaves_is_no_error(node: Node, path: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running(Mails().app()), looking(node) as client:
        async with client.stream("GET", path) as response:
            await anext(response.aiter_lines())
        left = {task for task in asyncio.all_tasks() if task.get_name().startswith("tail of")}
        await until(lambda: all(task.done() for task in left))
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_wiring_is_told_if_there_is_one(node: Node) -> None:
    async with looking(node) as client:
        assert (await client.get("/api/wiring")).json() is None
    async with looking(node, wiring=b'{"service":"shop"}') as client:
        assert (await client.get("/api/about")).json()["has_wiring"] is True
        assert (await client.get("/api/wiring")).json() == {"service": "shop"}
