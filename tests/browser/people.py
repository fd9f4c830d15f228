"""People with browsers: headless Chromium, driven by playwright, on the pages of the chat."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

__all__ = ["CHROMIUM", "Person", "open_browser"]

CHROMIUM: Final = None if find_spec("playwright") is None else shutil.which("chromium")
"""The browser; None: it is not installed, or what drives it is not."""
DESKTOP: Final = {"viewport": {"width": 1280, "height": 800}}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
_ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]


@asynccontextmanager
async def open_browser() -> AsyncGenerator[Any]:
    """A browser without a window."""
    library: Any = importlib.import_module("playwright.async_api")  # only in the session `browser`
    async with library.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        await browser.close()


class Person:
    """Somebody with the page of the chat open.

    Attributes:
        page: The page, of playwright.
        problems: The exceptions of the scripts of the page.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", self._note)

    @classmethod
    async def come(cls, browser: Any, url: str, name: str, **options: Any) -> Person:
        """Open the page and log in."""
        context = await browser.new_context(**{**DESKTOP, **options})
        context.set_default_timeout(20_000)
        person = cls(await context.new_page())
        await person.page.goto(url)
        await person.page.get_by_label("Name").fill(name)
        await person.page.get_by_label("Password").fill(f"secret of {name}")
        await person.page.get_by_role("button", name="Come in").click()
        await person.is_online()
        return person

    def _note(self, error: object) -> None:
        self.problems.append(str(error))

    async def is_online(self) -> None:
        """Wait until the page has its connection."""
        await self.page.locator("#status.online").wait_for(state="attached")

    async def say(self, text: str) -> None:
        """Write a message and send it."""
        await self.page.get_by_label("Message", exact=True).fill(text)
        await self.page.keyboard.press("Enter")

    async def send_file(self, path: Path, text: str = "") -> None:
        """Send a file, with a message."""
        await self.page.locator("#file").set_input_files(path)
        await self.page.locator(".chip.done").wait_for()
        await self.say(text)

    async def sees(self, text: str) -> None:
        """Wait until a message is shown as sent."""
        await self.page.locator(".post:not(.pending, .failed) .bubble", has_text=text).first.wait_for()

    async def messages(self) -> list[str]:
        """The texts of all messages, in order."""
        texts: list[str] = await self.page.locator(".bubble p").all_inner_texts()
        return texts
