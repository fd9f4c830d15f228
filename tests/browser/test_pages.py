"""The pages of documents in headless Chromium: without the network, under a strict policy, on each screen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.browser.people import CHROMIUM, DESKTOP, PHONE, open_browser
from tests.export.market import app as market

from daebus.app.documents import openapi
from daebus.export.asyncapi import asyncapi
from daebus.pages.files import page_files
from daebus.testing import running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine, or no playwright")

VIEWS: Mapping[str, Mapping[str, Any]] = {
    "desktop": {**DESKTOP, "color_scheme": "light"},
    "desktop, dark": {**DESKTOP, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light"},
    "phone, dark": {**PHONE, "color_scheme": "dark"},
}


@asynccontextmanager
async def looking(**options: Any) -> AsyncGenerator[tuple[Any, list[str]]]:
    """A page of a browser, and what it complains of or asks for elsewhere."""
    problems: list[str] = []
    async with open_browser() as browser:
        context = await browser.new_context(**options)
        page = await context.new_page()

        def note(found: Any) -> None:
            problems.append(str(getattr(found, "text", found)))

        def note_elsewhere(request: Any) -> None:
            if not request.url.startswith(("http://127.0.0.1:", "http://localhost:", "file://")):
                problems.append(request.url)

        for event in ("console", "pageerror", "requestfailed"):
            page.on(event, note)
        page.on("request", note_elsewhere)
        yield page, problems


async def show(page: Any, url: str) -> None:
    await page.goto(url)
    assert await page.locator("article").count() > 1
    width, room = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= room
    # The style has arrived, and the script has run.
    assert await page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    assert await page.locator("#filter").is_visible()


@pytest.mark.parametrize("view", VIEWS)
async def test_the_served_pages_need_nothing_from_elsewhere(view: str) -> None:
    async with running(market) as service, looking(**VIEWS[view]) as (page, problems):
        for path in ("/schema", "/asyncapi", "/schema/", "/asyncapi/"):
            await show(page, f"{service.http.base_url}{path}")
            await page.get_by_role("navigation", name="Documents").get_by_text("Messages").click()
            await page.get_by_role("heading", name="action get_offer").wait_for()
        await page.get_by_role("navigation", name="Documents").get_by_text("HTTP").click()
        await page.get_by_role("heading", name="/offers/{offer_id}").wait_for()
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 27)"
    assert dark == ("dark" in view)
    assert problems == []


async def test_the_written_pages_work_from_a_folder_without_a_network(tmp_path: Path) -> None:
    made = market.check()
    for name, content in page_files(openapi(made), asyncapi(made)).items():
        (tmp_path / name).write_bytes(content)
    async with looking(**DESKTOP, offline=True) as (page, problems):
        for name in ("index.html", "messages.html"):
            await show(page, (tmp_path / name).as_uri())
    assert problems == []


async def test_the_filter_leaves_what_has_all_words_and_the_contents_lead_there() -> None:
    async with running(market) as service, looking(**DESKTOP) as (page, problems):
        await page.goto(f"{service.http.base_url}/asyncapi")
        count = await page.locator("article:visible").count()
        await page.keyboard.press("/")
        await page.keyboard.type("publish sales")
        assert await page.locator("article:visible h3").all_inner_texts() == ["SEND\npublish sales"]
        assert await page.locator(".contents li:visible").count() == 1
        await page.keyboard.type("nothing")
        await page.get_by_text("Nothing has this name.").wait_for()
        await page.keyboard.press("Escape")
        assert await page.locator("article:visible").count() == count
        await page.locator(".contents").get_by_role("link", name="Watcher").click()
        assert (await page.evaluate("location.hash")) == "#schema-Watcher"
    assert problems == []


async def test_on_a_phone_the_contents_are_closed_until_they_are_wanted() -> None:
    async with running(market) as service, looking(**PHONE) as (page, problems):
        await page.goto(f"{service.http.base_url}/asyncapi")
        link = page.locator(".contents").get_by_role("link", name="action ping")
        assert not await link.is_visible()
        await page.get_by_text("Contents", exact=True).click()
        await link.click()
        assert not await link.is_visible()
        assert await page.get_by_role("heading", name="action ping").is_visible()
    assert problems == []


async def test_without_scripts_everything_is_shown() -> None:
    async with running(market) as service, looking(**DESKTOP, java_script_enabled=False) as (page, problems):
        await page.goto(f"{service.http.base_url}/schema")
        assert await page.get_by_role("heading", name="/offers/{offer_id}").is_visible()
        assert not await page.locator("#filter").is_visible()
    assert problems == []
