"""Pages of other sites, and other host names: who may ask a service, and who not."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from litestar.config.cors import CORSConfig
from litestar.datastructures import ResponseHeader
from tests.http.web import problem_of
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from daebus import Daebus, DaebusHttp, DaebusWebSocket
from daebus.errors import ConfigurationError
from daebus.testing import RunningService, running

EVIL = "https://evil.example"
FRIEND = "https://shop.example.com"


class Note(msgspec.Struct):
    text: str


@asynccontextmanager
async def notes(*, sockets: tuple[str, ...] = (), **http: Any) -> AsyncGenerator[tuple[RunningService, list[str]]]:
    app, saved = Daebus("notes"), list[str]()
    app.attach(DaebusHttp(**http))
    app.attach(DaebusWebSocket(origins=sockets))

    @app.route("/notes", methods=["POST"])
    async def save(data: Note) -> int:
        saved.append(data.text)
        return len(saved)

    @app.route("/notes")
    async def show() -> list[str]:
        return saved

    @app.socket("show")
    async def show_all() -> list[str]:
        return saved

    async with running(app) as service:
        yield service, saved


class TestRequests:
    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": EVIL},
            {"origin": EVIL, "sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "cross-site"},
            {"origin": "null"},
            {"origin": "http://localhost:1", "sec-fetch-site": "same-site"},
            {"origin": "https://127.0.0.1"},
        ],
    )
    async def test_pages_of_other_sites_change_nothing(
        self, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
    ) -> None:
        async with notes() as (service, saved):
            answer = await service.http.post("/notes", json={"text": "x"}, headers=headers)
            problem = problem_of(answer, 403)
            assert saved == []
        assert problem["code"] == "forbidden"
        assert "Daebus" not in problem["detail"]
        assert "DaebusHttp(origins=[" in caplog.text
        assert problem["request_id"] in caplog.text

    async def test_a_flood_of_refused_requests_does_not_flood_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        async with notes() as (service, _):
            for number in range(200):
                await service.http.post("/notes", json={}, headers={"origin": f"https://{number}.example"})
        assert caplog.text.count("request refused") == 64 + 8

    async def test_own_pages_and_other_programs_may(self) -> None:
        async with notes() as (service, saved):
            own = str(service.http.base_url).rstrip("/")
            for headers in (
                {},
                {"origin": own},
                {"origin": own, "sec-fetch-site": "same-origin"},
                # Behind a proxy that ends TLS and keeps the host, or that changes the host.
                {"origin": own.replace("http:", "https:")},
                {"origin": FRIEND, "sec-fetch-site": "same-origin"},
                {"sec-fetch-site": "none"},
            ):
                assert (await service.http.post("/notes", json={"text": "x"}, headers=headers)).status_code == 200
            assert len(saved) == 6

    async def test_the_port_of_the_scheme_may_be_left_out(self) -> None:
        async with notes() as (service, _):
            headers = {"origin": "https://localhost", "host": "localhost:443"}
            assert (await service.http.post("/notes", json={"text": "x"}, headers=headers)).status_code == 200

    async def test_everybody_may_read(self) -> None:
        async with notes() as (service, _):
            headers = {"origin": EVIL, "sec-fetch-site": "cross-site"}
            assert (await service.http.get("/notes", headers=headers)).status_code == 200

    @pytest.mark.parametrize(
        "http",
        [
            {"origins": [FRIEND]},
            {"origins": ["*"]},
            {"cors_config": CORSConfig(allow_origins=[FRIEND])},
            {"cors_config": CORSConfig(allow_origin_regex=r"https://.*\.example\.com")},
        ],
    )
    async def test_origins_that_are_allowed(self, http: dict[str, Any]) -> None:
        async with notes(**http) as (service, _):
            headers = {"origin": FRIEND, "sec-fetch-site": "cross-site"}
            assert (await service.http.post("/notes", json={"text": "x"}, headers=headers)).status_code == 200

    async def test_a_body_needs_its_type(self) -> None:
        async with notes() as (service, saved):
            answer = await service.http.post("/notes", content=b'{"text": "x"}')
            assert problem_of(answer, 415)["code"] == "unsupported_media_type"
            assert saved == []

    async def test_no_browser_takes_an_answer_for_another_type(self) -> None:
        async with notes(schema=True) as (service, _):
            for path in ("/notes", "/nothing", "/schema"):
                assert (await service.http.get(path)).headers.get_list("x-content-type-options") == ["nosniff"]

    async def test_pages_have_further_headers_unless_a_route_sets_them(self) -> None:
        names = ("x-frame-options", "referrer-policy", "cross-origin-opener-policy")
        async with notes(schema=True) as (service, _):
            page, data = (await service.http.get("/schema")).headers, (await service.http.get("/notes")).headers
        assert [page.get_list(name) for name in names] == [["DENY"], ["same-origin"], ["same-origin"]]
        assert [data.get_list(name) for name in names] == [[], [], []]

    async def test_a_route_sets_its_own_headers(self) -> None:
        app = Daebus("pages")
        app.attach(DaebusHttp(port=0))

        @app.route(
            "/", media_type="text/html", response_headers=[ResponseHeader(name="X-Frame-Options", value="ALLOW")]
        )
        async def page() -> str:
            return "<p>hello</p>"

        async with running(app) as service:
            headers = (await service.http.get("/")).headers
        assert headers.get_list("x-frame-options") == ["ALLOW"]
        assert headers.get_list("referrer-policy") == ["same-origin"]


class TestSockets:
    async def answer(self, service: RunningService, **headers: str) -> int:
        url = f"ws://127.0.0.1:{service.ports['http']}/ws"
        try:
            async with connect(url, additional_headers=headers):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    async def test_pages_of_other_sites_do_not_connect(self) -> None:
        async with notes() as (service, _):
            assert await self.answer(service, origin=EVIL) == 403
            assert await self.answer(service, origin="null") == 403
            assert await self.answer(service, origin=f"http://127.0.0.1:{service.ports['http']}") == 101
            assert await self.answer(service) == 101

    async def test_origins_that_are_allowed(self) -> None:
        async with notes(sockets=(FRIEND,)) as (service, _):
            assert await self.answer(service, origin=FRIEND) == 101
            assert await self.answer(service, origin=EVIL) == 403

    async def test_the_log_says_what_to_do(self, caplog: pytest.LogCaptureFixture) -> None:
        async with notes() as (service, _):
            with pytest.raises(InvalidStatus) as caught:
                await connect(f"ws://127.0.0.1:{service.ports['http']}/ws", additional_headers={"origin": EVIL})
            assert b"DaebusWebSocket" not in (caught.value.response.body or b"")
            assert f"DaebusWebSocket(origins=['{EVIL}'])" in caplog.text


class TestHosts:
    async def test_only_the_machines_own_names_on_its_loopback(self, caplog: pytest.LogCaptureFixture) -> None:
        async with notes() as (service, _):
            port = service.ports["http"]
            for host in (f"localhost:{port}", "LOCALHOST", f"127.0.0.1:{port}", f"[::1]:{port}", "notes.localhost"):
                assert (await service.http.get("/notes", headers={"host": host})).status_code == 200
            for host in (f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"):
                problem_of(await service.http.get("/notes", headers={"host": host}), 400)
                assert f"DaebusHttp(allowed_hosts=['{host.partition(':')[0]}'])" in caplog.text

    async def test_sockets_too(self) -> None:
        async with notes() as (service, _):
            url = f"ws://evil.example:{service.ports['http']}/ws"
            with socket.create_connection(("127.0.0.1", service.ports["http"])) as sock:
                sock.setblocking(False)
                with pytest.raises(InvalidStatus) as caught:
                    await connect(url, sock=sock, origin=None)
            assert caught.value.response.status_code == 400

    async def test_names_that_are_given(self) -> None:
        async with notes(allowed_hosts=["api.example.com", "*.shop.example"]) as (service, _):

            async def status(host: str) -> int:
                return (await service.http.get("/notes", headers={"host": host})).status_code

            assert [await status(host) for host in ("api.example.com", "a.shop.example:80")] == [200, 200]
            assert [await status(host) for host in ("shop.example", "localhost", "xapi.example.com")] == [400] * 3

    async def test_any_name(self) -> None:
        async with notes(allowed_hosts=["*"]) as (service, _):
            assert (await service.http.get("/notes", headers={"host": "evil.example"})).status_code == 200


class TestSchema:
    async def test_it_is_open_in_tests_and_needs_nothing_from_elsewhere(self) -> None:
        async with notes() as (service, _):
            for path, document in (("/schema", "openapi.json"), ("/asyncapi", "asyncapi.json")):
                page = await service.http.get(path)
                assert page.status_code == 200
                assert page.headers["content-type"] == "text/html; charset=utf-8"
                assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
                links = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
                assert {f"{path[1:]}/{name}" for name in (document, "page.css", "page.js")} <= set(links)
                for link in links:
                    assert (await service.http.get(f"/{link}")).status_code == 200
                below = await service.http.get(f"{path}/")
                relative = [link for link in re.findall(r'(?:href|src)="([^"#]+)"', below.text) if "/" not in link]
                assert {"page.css", "page.js", document} <= set(relative)
            assert "/notes" in (await service.http.get("/schema")).text

    async def test_it_is_closed_where_the_app_says_so(self) -> None:
        async with notes(schema=False) as (service, _):
            for path in ("/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/asyncapi", "/asyncapi/page.css"):
                problem_of(await service.http.get(path), 404)


class TestMistakes:
    @pytest.mark.parametrize(
        ("component", "options"),
        [
            (DaebusHttp, {"origins": FRIEND}),
            (DaebusHttp, {"origins": ["shop.example.com"]}),
            (DaebusHttp, {"origins": ["https://shop.example.com/"]}),
            (DaebusHttp, {"origins": ["https://shop.example.com:443"]}),
            (DaebusHttp, {"origins": ["https://Shop.example.com"]}),
            (DaebusWebSocket, {"origins": ["https://*.example.com"]}),
            (DaebusHttp, {"allowed_hosts": "example.com"}),
            (DaebusHttp, {"allowed_hosts": ["https://example.com"]}),
            (DaebusHttp, {"allowed_hosts": ["api.*"]}),
        ],
    )
    def test_what_is_no_origin_or_host_is_refused(self, component: type[Any], options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=f"{component.__name__}\\((origins|allowed_hosts)="):
            component(**options)
