"""The console in the HTTP of a service."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.console.looking import state_with
from tests.console.market import shop

from daebus import DaebusHttp
from daebus.console import DaebusConsole
from daebus.errors import ConfigurationError
from daebus.testing import RunningService, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

TOKEN = "correct horse battery staple"
ACT = {"service": "shop", "action": "find_offers", "payload": "cup"}


def client_of(service: RunningService) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=str(service.http.base_url), timeout=20)


async def test_it_is_a_part_of_the_service_and_ends_with_it() -> None:
    app = shop()
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusConsole(path="/ops/console"))
    async with running(app) as service, client_of(service) as client:
        for path, base in (("/ops/console", "console/"), ("/ops/console/", "")):
            page = (await client.get(path)).text
            assert f'src="{base}assets/app.js"' in page
        assert (await client.get("/ops/console/assets/app.js")).status_code == 200
        fleet = await state_with(client, "/ops/console/api/fleet", lambda state: state["services"])
        assert fleet["services"][0]["service"] == "shop"
        answer = await client.post("/ops/console/api/call", json=ACT)
        assert "CUP-001" in answer.text
        stream = client.stream("GET", "/ops/console/api/fleet")
        response = await stream.__aenter__()
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
    await stream.__aexit__(None, None, None)
    assert response.status_code == 200


async def test_without_a_token_it_is_for_this_machine_only() -> None:
    app = shop()
    app.attach(DaebusHttp(port=0, allowed_hosts=["*"]))
    app.attach(DaebusConsole())
    async with running(app) as service, client_of(service) as client:
        assert (await client.get("/console/api/about")).status_code == 200
        for headers in ({"host": "ops.example.com"}, {"x-forwarded-for": "10.0.0.1"}, {"forwarded": "for=10.0.0.1"}):
            refused = await client.get("/console/api/about", headers=headers)
            assert (refused.status_code, "DAEBUS_CONSOLE_TOKEN" in refused.json()["detail"]) == (401, True)
            assert "app.js" not in (await client.get("/console", headers=headers)).text


async def test_its_token_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAEBUS_CONSOLE_TOKEN", TOKEN)
    app = shop()
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusConsole(read_only=True))
    async with running(app) as service, client_of(service) as client:
        assert (await client.get("/console/api/about")).status_code == 401
        entered = await client.get("/console", params={"token": TOKEN})
        assert (entered.status_code, entered.headers["location"]) == (303, "console/")
        assert (await client.get("/console/api/about")).json()["read_only"] is True
        assert (await client.post("/console/api/call", json=ACT)).status_code == 403


def test_a_wrong_path_or_token_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must begin with '/'"):
        DaebusConsole(path="console")
    with pytest.raises(ConfigurationError, match="at least 16"):
        DaebusConsole(token="short")
