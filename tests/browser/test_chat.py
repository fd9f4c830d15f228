"""examples/chat in a browser: two people at two replicas, one of which is killed."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.browser.people import CHROMIUM, PHONE, Person, open_browser
from tests.browser.pictures import draw_evening
from tests.engines import free_port
from tests.processes import DAEBUS, EXAMPLES, Service, launched
from tests.support import until

from daebus.testing import private_redis_url

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium and playwright: see `nox -s browser`")

_prefixes = itertools.count(1)


@pytest.fixture
async def browser() -> AsyncGenerator[Any]:
    async with open_browser() as browser:
        yield browser


class Replicas:
    """Two replicas of the chat on fixed ports."""

    def __init__(self, folder: Path) -> None:
        self.ports = [free_port(), free_port()]
        self.running: list[Service] = []
        self._environment = {
            "DAEBUS_REDIS_URL": private_redis_url(),
            "CHAT_FILES": str(folder / "files"),
            "CHAT_PREFIX": f"chat{next(_prefixes)}",
        }

    def start(self, number: int) -> AbstractContextManager[Service]:
        command = (*DAEBUS, "run", "chat.app:app", "--host", "127.0.0.1", "--port", str(self.ports[number]))
        return launched(*command, cwd=EXAMPLES / "chat", **self._environment)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"


@pytest.fixture
def replicas(tmp_path: Path) -> Generator[Replicas]:
    found = Replicas(tmp_path)
    with found.start(0) as one, found.start(1) as two:
        for service in (one, two):
            service.wait_for("service started")
        found.running = [one, two]
        yield found


async def test_two_people_talk(browser: Any, replicas: Replicas, tmp_path: Path) -> None:
    ada = await Person.come(browser, replicas.url(0), "Ada")
    bob = await Person.come(browser, replicas.url(1), "Bob", **PHONE)
    await ada.page.get_by_text("2 people here").wait_for()
    await ada.say("Hello from the first replica")
    await bob.sees("Hello from the first replica")

    await bob.page.get_by_label("Message", exact=True).press_sequentially("Hi", delay=20)
    await ada.page.get_by_text("Bob types").wait_for()
    await bob.page.keyboard.press("Enter")
    await ada.sees("Hi")
    assert await ada.page.get_by_text("Bob types").count() == 0

    draw_evening(tmp_path / "evening.png", 48, 32)
    await ada.send_file(tmp_path / "evening.png", "Look at this")
    await bob.sees("Look at this")
    picture = bob.page.locator(".picture img")

    async def is_loaded() -> bool:
        return bool(await picture.evaluate("image => image.complete && image.naturalWidth > 0"))

    await until(is_loaded)
    notes = tmp_path / "notes.txt"
    notes.write_text("<script>alert(1)</script>")
    await ada.send_file(notes)
    async with bob.page.expect_download() as download:
        await bob.page.get_by_role("link", name="notes.txt").click()
    await (await download.value).save_as(tmp_path / "downloaded.txt")
    assert (tmp_path / "downloaded.txt").read_text() == notes.read_text()

    await bob.page.get_by_role("button", name="Rooms").click()
    await bob.page.get_by_label("Title of the new room").fill("Garden")
    await bob.page.keyboard.press("Enter")
    await bob.say("Only in the garden")
    await bob.sees("Only in the garden")
    await ada.page.get_by_role("button", name="Garden").click()
    await ada.sees("Only in the garden")
    await bob.say("Is anybody here?")
    await ada.sees("Is anybody here?")

    await bob.page.reload()
    await bob.sees("Is anybody here?")
    assert await bob.messages() == ["Only in the garden", "Is anybody here?"]
    await bob.page.context.close()
    await ada.page.get_by_text("1 person here").wait_for()
    assert ada.problems + bob.problems == []


async def test_who_is_cut_off_misses_nothing(browser: Any, replicas: Replicas) -> None:
    ada = await Person.come(browser, replicas.url(0), "Ada")
    bob = await Person.come(browser, replicas.url(1), "Bob")
    await bob.say("one")
    await ada.sees("one")

    replicas.running[1].process.kill()
    await bob.page.get_by_text("Reconnecting…").wait_for()
    for text in ("two", "three", "four"):
        await ada.say(text)
        await ada.sees(text)
    await bob.say("five")
    assert await bob.page.locator(".post.pending").count() == 1
    with replicas.start(1):
        await bob.sees("five")
        await ada.sees("five")
        await bob.is_online()
        assert await bob.messages() == ["one", "two", "three", "four", "five"]
        assert await ada.messages() == ["one", "two", "three", "four", "five"]
        await ada.say("six")
        await bob.sees("six")
        await ada.page.get_by_text("2 people here").wait_for()
        assert ada.problems + bob.problems == []
