"""``python -m tests.browser.console_pictures``: the pictures of the console in docs/console, in light and dark."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from tests.browser.people import PHONE, open_browser
from tests.console.market import CHARGE, FIND, PLACE, Card, Item, PlaceOrder, mails, payments, shop

from daebus.checking.description import describe
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.console.access import Access
from daebus.console.console import Console
from daebus.console.history import history_key
from daebus.console.serving import serving_console
from daebus.errors import ServiceError
from daebus.payloads.codec import encode
from daebus.telemetry.logs import make_logger
from daebus.testing import RunningService, private_redis_url, running

__all__ = ["console_of_market", "make_history"]

_FOLDER = Path(__file__).parents[2] / "docs" / "console"
_DESKTOP = {"viewport": {"width": 1280, "height": 820}}
_PAGES: Mapping[str, str] = {
    "services": "#/",
    "service": "#/services/shop",
    "handler": "#/services/shop/action%20restock",
    "letters": "#/letters/mails",
    "letter": "",
    "channel": "#/channels/orders/durable",
    "wiring": "#/wiring",
}


async def make_history(minutes: int = 60) -> None:
    """Write samples of an hour with a deployment in it, as if a console had run."""
    client = cast("Any", Redis).from_url(private_redis_url())
    now = int(time.time() * 1000)
    await client.delete(history_key("shop"))
    async with client.pipeline() as pipeline:
        for step in range(minutes * 6, 0, -1):
            wave = math.sin(step / 28) + 0.35 * math.sin(step / 5) + random.uniform(-0.15, 0.15)
            is_new, is_burst = step < 150, 190 < step < 205
            p50 = (0.021 if is_new else 0.034) * (1 + 0.12 * wave)
            sample = {
                "messages": 62 + 14 * wave,
                "errors": random.uniform(1, 4) if is_burst else max(0.0, random.gauss(0.1, 0.2)),
                "p50": p50,
                "p95": p50 * (4.4 if is_burst else 1.8) * random.uniform(0.95, 1.1),
                "p99": p50 * (5.2 if is_burst else 2.1) * random.uniform(0.95, 1.2),
                "queued": 60 + step % 30 if is_burst else random.choice((0, 0, 1, 2)),
                "age": 2.5 + 0.2 * (step % 15) if is_burst else 0.02,
                "versions": ["2.4.0" if is_new else "2.3.1"],
            }
            pipeline.xadd(history_key("shop"), {"s": msgspec.json.encode(sample)}, id=f"{now - step * 10_000}-0")
        await pipeline.execute()
    await client.aclose()


async def _customers(service: RunningService, rate: float) -> None:
    """Orders, searches and charges, until cancelled."""
    pending: set[asyncio.Task[None]] = set()

    async def one(number: int) -> None:
        with contextlib.suppress(ServiceError):
            if number < 25:
                await service.call(FIND, "cup")
            elif number < 40:
                await service.call(CHARGE, 12.5)
            else:
                customer = random.choice(("ada", "grace", "alan")) if random.random() > 0.1 else "bad address"
                await service.call(PLACE, PlaceOrder(customer, [Item("CUP-001")], Card("4242")))

    while True:
        task = asyncio.create_task(one(random.randrange(50)))
        pending.add(task)
        task.add_done_callback(pending.discard)
        await asyncio.sleep(1 / rate)


@asynccontextmanager
async def console_of_market(rate: float = 0.0) -> AsyncGenerator[str]:
    """The URL of a console, beside a fleet that gets `rate` messages a second."""
    wiring = encode(describe(shop().check()))
    async with (
        running(shop(pause=0.01)) as service,
        running(shop(pause=0.01)),
        running(payments(pause=0.02, errors=0.04)),
        running(mails()),
        open_node(RedisServer.from_url(private_redis_url())) as node,
        serving_console(
            Console(Access(None, read_only=False), wiring), node, host="127.0.0.1", port=0, logger=make_logger()
        ) as port,
    ):
        load = asyncio.create_task(_customers(service, rate)) if rate else None
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            if load is not None:
                load.cancel()


async def _take() -> None:
    await make_history()
    views: Mapping[str, tuple[Mapping[str, Any], str]] = {
        "light": (_DESKTOP, "light"),
        "dark": (_DESKTOP, "dark"),
        "phone": (PHONE, "light"),
    }
    async with console_of_market(90) as url, open_browser() as browser:
        await asyncio.sleep(12)
        for view, (size, scheme) in views.items():
            context = await browser.new_context(**size, color_scheme=scheme)
            page = await context.new_page()
            for name, path in _PAGES.items():
                if view == "phone" and name not in ("services", "handler"):
                    continue
                if name == "letter":
                    await page.goto(url + _PAGES["letters"])
                    await page.locator("tbody a").first.click()
                    await page.get_by_role("heading", name="Traceback").wait_for()
                else:
                    await page.goto(url + path)
                await asyncio.sleep(9 if name == "services" and view != "phone" else 2)
                if name == "handler":
                    await page.locator("form.call input").first.fill("12")
                    await page.get_by_role("button", name="Call", exact=True).click()
                    await asyncio.sleep(1.2)
                if name == "letters":
                    for box in await page.locator("tbody input[type=checkbox]").all():
                        await box.check()
                        if await page.locator("tbody input:checked").count() == 3:
                            break
                await asyncio.sleep(0.3)
                await page.screenshot(path=_FOLDER / f"{name}-{view}.png")
            await context.close()


def main() -> None:
    """Take the pictures."""
    _FOLDER.mkdir(exist_ok=True)
    asyncio.run(_take())


if __name__ == "__main__":
    main()
