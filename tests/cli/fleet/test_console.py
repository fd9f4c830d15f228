"""``daebus console``: where it listens, and how it ends."""

from __future__ import annotations

import re
import signal

import httpx
from click.testing import CliRunner
from tests.processes import DAEBUS, launched
from tests.support import until

from daebus.cli import main
from daebus.testing import private_redis_url


def test_other_machines_need_a_token() -> None:
    done = CliRunner().invoke(main, ["console", "--host", "0.0.0.0"])
    assert done.exit_code == 2
    assert "DAEBUS_CONSOLE_TOKEN" in done.output
    assert CliRunner().invoke(main, ["console", "--token", "short"]).exit_code == 2


async def test_it_says_where_it_is_and_ends_at_once() -> None:
    with launched(*DAEBUS, "console", "--port", "0", "--redis-url", private_redis_url()) as console:
        await until(lambda: "The console is at" in console.text())
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+/", console.text())
        async with httpx.AsyncClient() as client:
            assert "assets/app.js" in (await client.get(url)).text
        assert console.stop(signal.SIGINT) == 0
        assert "Traceback" not in console.text()
