"""What daebus uses of libraries beyond their documented interface: it is there, and where it is not, that is told."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from granian.server.embed import Server
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Receive
from litestar.utils.scope.state import ScopeState
from redis.asyncio import Connection

from daebus import Daebus, DaebusHttp, DaebusWebSocket
from daebus.core.private_parts import GRANIAN, LITESTAR, LITESTAR_SHORT, REDIS, find, missing, require
from daebus.errors import StartupError
from daebus.http import fast_path as http_ways
from daebus.testing import running


class Order(msgspec.Struct):
    item: str
    quantity: int = 1


def shop() -> Daebus:
    app = Daebus("shop")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.route("/orders/<order_id>")
    async def get_order(order_id: int, verbose: bool = False) -> str:
        return f"{order_id} {verbose}"

    @app.route("/orders", methods=["POST"])
    async def add_order(data: Order) -> Order:
        return data

    @app.route("/broken")
    async def broken() -> str:
        raise RuntimeError

    return app


@pytest.mark.parametrize("parts", [GRANIAN, LITESTAR, LITESTAR_SHORT, REDIS])
def test_the_installed_versions_have_all_of_them(parts: list[str]) -> None:
    assert missing(parts) == []
    assert find(parts[0] + ".no_such_thing") is None
    assert find("no_such_module:thing") is None


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (HTTPRoute, "_get_cached_response"),
        (HTTPRoute, "_call_handler_function"),
        (ScopeState, "from_scope"),
        (Litestar, "asgi_router"),
    ],
)
async def test_without_one_of_litestar_requests_take_the_long_way_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: type, name: str
) -> None:
    gone = hide(monkeypatch, owner, name)
    short, apps = watched(monkeypatch)
    async with running(shop()) as service:
        (told,) = [line for line in caplog.messages if "long way" in line]
        assert gone in told
        assert "litestar 2." in told
        http = service.http
        assert (await http.get("/orders/7?verbose=true")).text.strip('"') == "7 True"
        assert (await http.post("/orders", json={"item": "apple"})).json() == {"item": "apple", "quantity": 1}
        assert (await http.post("/orders", json={"item": 1})).status_code == 400
        assert (await http.get("/orders/seven")).status_code in (400, 404)
        assert (await http.get("/broken")).json()["code"] == "internal"
        assert (await http.get("/nowhere")).json()["code"] == "not_found"
    assert short == []
    assert kinds(apps[0]) == {"HTTPRoute"}


def hide(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> str:
    """Have a part looked for in vain, which the library itself needs, so that it cannot be taken away."""
    hidden = f":{owner.__name__}.{name}"

    def find_others(part: str) -> object | None:
        return None if part.endswith(hidden) else part

    monkeypatch.setattr("daebus.core.private_parts.find", find_others)
    return hidden


def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Litestar]]:
    """The paths of requests that are answered before Litestar has seen them, and the apps that are made."""
    short: list[str] = []
    apps: list[Litestar] = []
    answer, open_ways = http_ways.ShortWays.answer, http_ways.ShortWays.open

    async def noted_answer(ways: http_ways.ShortWays, scope: dict[str, str], receive: Receive) -> object:
        answered = await answer(ways, scope, receive)
        if answered is not None:
            short.append(scope["path"])
        return answered

    def noted_open(ways: http_ways.ShortWays, app: Litestar) -> None:
        apps.append(app)
        open_ways(ways, app)

    monkeypatch.setattr(http_ways.ShortWays, "answer", noted_answer)
    monkeypatch.setattr(http_ways.ShortWays, "open", noted_open)
    return short, apps


def kinds(app: Litestar) -> set[str]:
    return {type(route).__name__ for route in app.routes if route.path.startswith("/orders")}


async def test_with_all_of_them_requests_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    short, apps = watched(monkeypatch)
    async with running(shop()) as service:
        await service.http.post("/orders", json={"item": "apple"})
    assert short == ["/orders"]
    assert kinds(apps[0]) == {"_Route"}


async def test_a_router_that_answers_otherwise_closes_the_shortest_way_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    short, apps = watched(monkeypatch)
    async with running(shop()) as service:
        router, seen = cast("Any", apps[0].asgi_router), list[object]()
        route = router.handle_routing

        def with_one_more(*, path: str, method: str) -> object:
            found = route(path=path, method=method)
            seen.append(found)
            return (*found, None) if len(seen) % 2 else found  # what we ask first, then what Litestar asks

        router.handle_routing = with_one_more
        assert (await service.http.post("/orders", json={"item": "apple"})).json()["item"] == "apple"
        assert len(seen) == 2
    assert short == []


@pytest.mark.parametrize(
    ("owner", "name", "told"),
    [
        (Server, "_init_shared_socket", "granian .* has no granian.server.embed.Server._init_shared_socket"),
        (Connection, "_writer", "redis .* has no redis.asyncio.Connection._writer"),
        (HTTPRouteHandler, "resolve_guards", "litestar .* has no litestar.handlers.HTTPRouteHandler.resolve_guards"),
    ],
)
async def test_without_one_that_is_needed_the_start_is_refused_with_one_line(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, told: str
) -> None:
    hide(monkeypatch, owner, name)
    with pytest.raises(StartupError, match=told) as caught:
        async with running(shop()):
            pass
    assert "\n" not in str(caught.value)
    assert "pip install" in str(caught.value)


def test_a_library_is_named_with_its_version() -> None:
    with pytest.raises(StartupError, match=r"^redis \d.* has no redis.asyncio.Nothing, which daebus uses"):
        require("redis", ["redis.asyncio:Nothing"])
