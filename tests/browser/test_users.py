"""examples/users in a browser: two people at two replicas, one of which is killed; logins that end and go on."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tests.browser.people import CHROMIUM, DESKTOP, PHONE, open_browser
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
    """Two replicas of the service on fixed ports. Access tokens are valid for 15 s, of which pages use 5 s."""

    def __init__(self) -> None:
        self.ports = [free_port(), free_port()]
        self.running: list[Service] = []
        self._environment = {
            "DAEBUS_REDIS_URL": private_redis_url(),
            "USERS_PREFIX": f"users{next(_prefixes)}",
            "USERS_ACCESS_SECONDS": "15",
        }

    def start(self, number: int) -> AbstractContextManager[Service]:
        command = (*DAEBUS, "run", "app:app", "--service", "user_service", "--host", "127.0.0.1")
        port = ("--port", str(self.ports[number]))
        return launched(*command, *port, cwd=EXAMPLES / "users", **self._environment)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.ports[number]}"


@pytest.fixture
def replicas() -> Generator[Replicas]:
    found = Replicas()
    with found.start(0) as one, found.start(1) as two:
        for service in (one, two):
            service.wait_for("service started")
        found.running = [one, two]
        yield found


class Visitor:
    """Somebody with the page open.

    Attributes:
        page: The page, of playwright.
        problems: The exceptions of the scripts of the page.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []

        def note(error: Any) -> None:
            self.problems.append(str(error))

        page.on("pageerror", note)

    @classmethod
    async def come(cls, browser: Any, url: str, name: str, **options: Any) -> Visitor:
        """Open the page in a browser of one's own, and create an account."""
        context = await browser.new_context(**{**DESKTOP, **options})
        context.set_default_timeout(30_000)
        visitor = cls(await context.new_page())
        page = visitor.page
        await page.goto(url)
        await page.get_by_text("Create account").first.click()
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_label("Email", exact=True).fill(f"{name.lower()}@example.com")
        await page.get_by_label("Password", exact=True).fill(f"secret of {name}")
        await page.get_by_role("button", name="Create account").click()
        await visitor.is_online()
        return visitor

    async def is_online(self) -> None:
        """Wait until the page has its connection."""
        await self.page.locator("#status.online").wait_for(state="attached")

    async def rename(self, name: str) -> None:
        await self.page.get_by_label("Your name").fill(name)
        await self.page.get_by_role("button", name="Save").click()

    async def sees(self, name: str, presence: str) -> None:
        """Wait until the list has somebody."""
        row = self.page.locator("#people li", has=self.page.get_by_text(name, exact=True))
        await row.get_by_text(presence, exact=True).wait_for()


async def test_two_people_see_each_other_and_what_changes(browser: Any, replicas: Replicas) -> None:
    ada = await Visitor.come(browser, replicas.url(0), "Ada")
    bob = await Visitor.come(browser, replicas.url(1), "Bob", **PHONE)
    await ada.sees("Bob", "Online")
    await bob.sees("Ada", "Online")
    await bob.rename("Bob the builder")
    await ada.sees("Bob the builder", "Online")
    await bob.sees("Bob the builder", "Online")

    await ada.page.get_by_label("Find by name or email").fill("builder")
    assert await ada.page.locator("#people li").count() == 1
    await ada.page.get_by_label("Find by name or email").fill("")
    assert (await bob.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")) == [390, 390]

    await bob.page.reload()
    await bob.is_online()
    await ada.sees("Bob the builder", "Online")
    await bob.page.context.close()
    await ada.sees("Bob the builder", "Away")
    assert ada.problems + bob.problems == []


async def test_who_is_cut_off_gets_what_has_changed(browser: Any, replicas: Replicas) -> None:
    ada = await Visitor.come(browser, replicas.url(0), "Ada")
    bob = await Visitor.come(browser, replicas.url(1), "Bob")
    await ada.sees("Bob", "Online")

    replicas.running[1].process.kill()
    await bob.page.get_by_text("Reconnecting…").wait_for()
    await ada.rename("Countess")
    await ada.sees("Countess", "Online")
    zoe = await Visitor.come(browser, replicas.url(0), "Zoe")
    await ada.sees("Zoe", "Online")
    with replicas.start(1):
        await bob.is_online()
        await bob.sees("Countess", "Online")
        await bob.sees("Zoe", "Online")
        await ada.sees("Bob", "Online")
        await ada.rename("Ada")
        await bob.sees("Ada", "Online")
        assert ada.problems + bob.problems + zoe.problems == []


async def test_a_login_goes_on_until_one_of_its_tabs_ends_it(browser: Any, replicas: Replicas) -> None:
    ada = await Visitor.come(browser, replicas.url(0), "Ada")
    refreshed: list[str] = []

    def note(request: Any) -> None:
        if str(request.url).endswith("refresh"):
            refreshed.append(request.url)

    ada.page.on("request", note)
    tab = Visitor(await ada.page.context.new_page())
    await tab.page.goto(replicas.url(0))
    await tab.is_online()
    # Longer than an access token lives: the connections stay, with new tokens.
    await until(lambda: len(refreshed) >= 4, seconds=120)
    assert await ada.page.locator("#status.online").count() == 1
    service = replicas.running[0]
    assert service.problems() == []

    await tab.page.get_by_role("button", name="Sign out").click()
    await tab.page.get_by_role("button", name="Sign in").wait_for()
    await ada.page.get_by_text("You have signed out in another tab.").wait_for()
    await ada.page.get_by_label("Email", exact=True).fill("ada@example.com")
    await ada.page.get_by_label("Password", exact=True).fill("a wrong one")
    await ada.page.get_by_role("button", name="Sign in").click()
    await ada.page.get_by_text("Invalid email or password").wait_for()
    await ada.page.get_by_label("Password", exact=True).fill("secret of Ada")
    await ada.page.get_by_role("button", name="Sign in").click()
    await ada.is_online()
    assert ada.problems + tab.problems == []
