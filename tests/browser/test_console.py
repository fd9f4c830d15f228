"""The console in headless Chromium: on each screen, with the keyboard, for screen readers, and under load."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from tests.browser.console_pictures import console_of_market, make_history
from tests.browser.people import CHROMIUM, DESKTOP, PHONE
from tests.browser.test_pages import looking
from tests.console.looking import looking as client_of
from tests.console.market import ORDERS, Mails, OrderPlaced, shop
from tests.support import until

from daebus import Action, Daebus
from daebus.connection.node import Node
from daebus.testing import running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium and playwright: see `nox -s browser`")

VIEWS: Mapping[str, Mapping[str, Any]] = {
    "desktop": {**DESKTOP, "color_scheme": "light"},
    "desktop, dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
    "phone, dark": {**PHONE, "color_scheme": "dark"},
}
PAGES = {
    "": "shop",
    "services/shop": "Handlers",
    "services/shop/action%20place_order": "Takes",
    "letters": "mails",
    "letters/mails": "listen orders mails.on_order",
    "channels": "placed",
    "channels/orders/durable": "order_placed",
    "wiring": "Graph",
}


@pytest.fixture
async def market() -> AsyncGenerator[str]:
    await make_history(5)
    async with console_of_market(20) as url:
        yield url


async def accessible(page: Any) -> list[str]:
    """What axe finds."""
    axe: Any = importlib.import_module("axe_playwright_python.async_playwright").Axe()
    found = (await axe.run(page)).response["violations"]
    return [f"{one['id']}: {[each['html'] for each in one['nodes']][:3]}" for one in found]


@pytest.mark.parametrize("view", VIEWS)
async def test_each_page_is_for_everybody_and_needs_nothing_from_elsewhere(market: str, view: str) -> None:
    async with looking(**VIEWS[view]) as (page, problems):
        for path, text in PAGES.items():
            await page.goto(f"{market}#/{path}")
            await page.locator("main").get_by_text(text, exact=False).first.wait_for()
            assert (path, await accessible(page)) == (path, [])
            width, room = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert (path, width <= room) == (path, True)
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
        await page.goto("about:blank")
    assert dark == ("dark" in view)
    assert [one for one in problems if "ERR_ABORTED" not in one and "api/" not in one] == []


async def test_an_action_is_called_with_the_keyboard_from_its_form(node: Node) -> None:
    async with running(shop()), client_of(node) as client, looking(**DESKTOP) as (page, problems):
        await page.goto(f"{client.base_url}#/services/shop/action%20place_order")
        await page.get_by_label("customer", exact=True).fill("ada")
        await page.get_by_role("button", name="Add item").press("Enter")
        await page.get_by_label("sku", exact=True).fill("CUP-001")
        await page.get_by_label("payment is").select_option("Invoice")
        await page.get_by_label("company", exact=True).fill("ACME")
        await page.get_by_role("button", name="Set delivery").press("Space")
        await page.locator("select:focus").wait_for()
        await page.get_by_label("delivery", exact=True).select_option("courier")
        await page.get_by_role("button", name="Set gift").press("Enter")
        await page.get_by_label("gift", exact=True).press("Space")
        await page.get_by_role("button", name="JSON", exact=True).press("Enter")
        written = await page.get_by_role("textbox", name="Payload").input_value()
        assert written.replace("\n", "").replace(" ", "") == (
            '{"customer":"ada","items":[{"sku":"CUP-001"}],"payment":{"type":"invoice","company":"ACME"},'
            '"delivery":"courier","gift":true}'
        )
        await page.get_by_role("button", name="Form", exact=True).press("Enter")
        assert await page.get_by_label("company", exact=True).input_value() == "ACME"
        await page.get_by_label("customer", exact=True).press("Enter")
        await page.get_by_text('"total"').wait_for()
        await page.get_by_label("sku", exact=True).fill("wrong")
        await page.get_by_label("sku", exact=True).press("Enter")
        await page.get_by_text("bad_request").wait_for()
    assert problems == []


async def test_a_stream_is_shown_as_it_comes_and_cancelled(node: Node) -> None:
    async with running(shop()), client_of(node) as client, looking(**DESKTOP) as (page, _):
        await page.goto(f"{client.base_url}#/services/shop/action%20restock")
        await page.get_by_role("textbox", name="Payload").fill("1000")
        await page.get_by_role("button", name="Call", exact=True).click()
        await page.get_by_text("CUP-003").wait_for()
        await page.locator(".outcome", has_text="waiting").wait_for()
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_text("cancelled").wait_for()


async def test_a_dead_letter_is_corrected_and_replayed_and_others_are_dropped(node: Node) -> None:
    mails = Mails()
    async with running(mails.app()) as service, client_of(node) as client, looking(**DESKTOP) as (page, problems):
        for number in range(3):
            await service.publish(ORDERS, OrderPlaced(f"A-{number}", "bad address"))
        await page.goto(f"{client.base_url}#/letters/mails")
        await page.locator("tbody tr").nth(2).wait_for()
        await page.get_by_label("Search dead letters").fill("A-1")
        await page.get_by_text("1 of 3").wait_for()
        await page.locator("tbody a").click()
        payload = page.get_by_role("textbox", name="Payload")
        await payload.fill((await payload.input_value()).replace("bad address", "ada"))
        await page.get_by_role("button", name="Replay corrected").click()
        await page.get_by_text("1 dead letter replayed.").wait_for()
        await until(lambda: [(one.order, one.customer) for one in mails.sent] == [("A-1", "ada")])
        await page.goto(f"{client.base_url}#/letters/mails")
        await page.get_by_label("All shown").check()
        await page.get_by_role("button", name="Drop 2").click()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Drop 2").press("Enter")
        await page.get_by_role("button", name="Drop", exact=True).click()
        await page.get_by_text("2 dead letters dropped.").wait_for()
        await page.get_by_text("There are none.").wait_for()
    assert problems == []


async def test_the_events_of_a_channel_are_paused_and_filtered(node: Node) -> None:
    async with running(Mails().app()) as service, client_of(node) as client, looking(**DESKTOP) as (page, problems):
        await page.goto(f"{client.base_url}#/channels")
        await page.get_by_role("link", name="orders").click()
        await page.get_by_text("Waiting for events").wait_for()
        await service.publish(ORDERS, OrderPlaced("A-1", "ada"))
        await service.publish(ORDERS, OrderPlaced("A-2", "grace"))
        await page.get_by_text("A-2").wait_for()
        await page.get_by_label("Filter events").fill("GRACE")
        assert await page.locator(".events li").count() == 1
        await page.get_by_role("button", name="Pause").click()
        await service.publish(ORDERS, OrderPlaced("A-3", "grace"))
        await page.get_by_text("1 not shown").wait_for()
        assert await page.get_by_text("A-3").count() == 0
    assert [one for one in problems if "ERR_ABORTED" not in one] == []


async def test_the_token_is_asked_for_and_nothing_is_called_by_a_console_that_only_shows(node: Node) -> None:
    token = "correct horse battery staple"
    async with (
        running(shop()),
        client_of(node, token=token, read_only=True) as client,
        looking(**DESKTOP) as (page, _),
    ):
        await page.goto(str(client.base_url))
        assert await accessible(page) == []
        await page.get_by_label("Token").fill("wrong")
        await page.keyboard.press("Enter")
        await page.get_by_text("This is not the token").wait_for()
        await page.get_by_label("Token").fill(token)
        await page.keyboard.press("Enter")
        await page.get_by_text("read-only").wait_for()
        await page.goto(f"{client.base_url}#/services/shop/action%20place_order")
        assert await page.get_by_role("button", name="Call", exact=True).is_disabled()


RATE = 300
"""Messages a second, as all processes of the test share two cores; docs/console.md has the result with 1,000."""


async def test_a_page_is_at_most_a_second_behind_the_truth(node: Node) -> None:
    app, loop, handled = Daebus("busy"), asyncio.get_running_loop(), list[float]()

    @app.action("work")
    async def work() -> None:
        handled.append(loop.time())

    async with running(app) as service, client_of(node) as client, looking(**DESKTOP) as (page, problems):
        await page.goto(f"{client.base_url}#/services/busy/action%20work")
        begun = loop.time()

        async def load() -> None:
            number = 0
            while True:
                for _ in range(int((loop.time() - begun) * RATE) - number):
                    await service.send(Action[None, None]("work"))
                    number += 1
                await asyncio.sleep(0.01)

        loading = asyncio.create_task(load())
        shown, behind = page.locator(".tile", has_text="Messages/s"), list[float]()
        await asyncio.sleep(2)
        for _ in range(30):
            await asyncio.sleep(0.1)
            asked = loop.time()
            total = int(re.sub(r"\D", "", re.findall(r"([\d\s]+) in all", await shown.inner_text())[0]))
            behind.append(asked - handled[total] if total < len(handled) else 0.0)
        loading.cancel()
    assert max(behind) < 1
    assert problems == []
