"""Who may use the console: hosts, sites, tokens, and a console that only shows."""

from __future__ import annotations

import json

import pytest
from tests.console.looking import looking

from daebus.connection.node import Node
from daebus.console.access import Access, require_loopback
from daebus.errors import ConfigurationError

TOKEN = "correct horse battery staple"
ACT = "/api/letters/drop"
BODY = json.dumps({"service": "shop", "ids": []})
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "evil.example"}, 400),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/x-www-form-urlencoded"}, 400),
    ],
)
async def test_acts_come_from_the_page_of_the_console_and_are_json(
    node: Node, headers: dict[str, str], status: int
) -> None:
    async with looking(node) as client:
        assert (await client.post(ACT, content=BODY, headers={**JSON, **headers})).status_code == status


async def test_the_host_is_checked_for_pages_and_data_too(node: Node) -> None:
    async with looking(node) as client:
        for path in ("/", "/api/about", "/assets/app.js"):
            assert (await client.get(path, headers={"host": "rebound.example"})).status_code == 400
            assert (await client.get(path)).status_code == 200


async def test_each_response_has_a_strict_policy_and_pages_load_nothing_from_elsewhere(node: Node) -> None:
    async with looking(node, token=TOKEN) as client:
        for path in ("/", "/api/about", "/assets/app.js", "/assets/console.css", f"/?token={TOKEN}"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"


async def test_without_the_token_there_is_only_the_way_in(node: Node) -> None:
    async with looking(node, token=TOKEN) as client:
        for path in (
            "/api/about",
            "/api/fleet",
            "/api/letters?service=shop",
            "/api/channels",
            "/api/history?service=x",
        ):
            assert (await client.get(path)).status_code == 401
        assert (await client.post(ACT, content=BODY, headers=JSON)).status_code == 401
        page = await client.get("/")
        assert 'name="token"' in page.text
        assert "app.js" not in page.text
        wrong = await client.post("/login", data={"token": "wrong"})
        assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
        assert "This is not the token" in wrong.text


async def test_the_token_becomes_a_cookie_and_leaves_the_address(node: Node) -> None:
    async with looking(node, token=TOKEN) as client:
        for response in (
            await client.post("/login", data={"token": TOKEN}),
            await client.get("/", params={"token": TOKEN}),
        ):
            assert (response.status_code, response.headers["location"]) == (303, "./")
            cookie = response.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert TOKEN not in cookie
        assert (await client.get("/api/about")).status_code == 200  # the client has the cookie now
        assert "app.js" in (await client.get("/")).text
        client.cookies.clear()
        bearer = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/api/about", headers=bearer)).status_code == 200


async def test_another_site_cannot_log_a_browser_in(node: Node) -> None:
    async with looking(node, token=TOKEN) as client:
        response = await client.post("/login", data={"token": TOKEN}, headers={"origin": "https://evil.example"})
        assert (response.status_code, "set-cookie" in response.headers) == (403, False)


async def test_a_console_that_only_shows_refuses_each_act(node: Node) -> None:
    async with looking(node, read_only=True) as client:
        assert (await client.get("/api/about")).json()["read_only"] is True
        for path in ("/api/call", "/api/letters/replay", ACT):
            response = await client.post(path, content=BODY, headers=JSON)
            assert (response.status_code, response.json()["detail"]) == (403, "The console is read-only")


async def test_below_the_assets_there_is_nothing_else(node: Node) -> None:
    async with looking(node) as client:
        for name in ("..%2f__init__.py", "%2e%2e/console.py", "nothing.js"):
            assert (await client.get(f"/assets/{name}")).status_code == 404
        first = await client.get("/assets/app.js")
        again = await client.get("/assets/app.js", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_other_machines_need_a_token() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        require_loopback(host, None)
    require_loopback("0.0.0.0", TOKEN)
    with pytest.raises(ConfigurationError, match="needs a token"):
        require_loopback("0.0.0.0", None)
    with pytest.raises(ConfigurationError, match="at least 16"):
        Access("short", read_only=False)


async def test_an_act_that_cannot_be_read_is_explained(node: Node) -> None:
    async with looking(node) as client:
        response = await client.post("/api/call", json={"service": "shop"})
        assert response.status_code == 400
        assert "action" in response.json()["detail"]
