"""What Litestar does not document: where the installed version differs, requests go through Litestar, and all works."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import Receive
from litestar.utils.scope.state import ScopeState
from tests.support import hide_part

from daebus import Daebus, DaebusHttp, DaebusWebSocket
from daebus.http import litestar_internals
from daebus.http.fast_path import FastPath
from daebus.testing import RunningService, running


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


async def ask_all(service: RunningService) -> None:
    """Requests of every kind, and their answers."""
    http = service.http
    assert (await http.get("/orders/7?verbose=true")).text.strip('"') == "7 True"
    assert (await http.post("/orders", json={"item": "apple"})).json() == {"item": "apple", "quantity": 1}
    for response in (
        await http.post("/orders", json={"item": 1}),
        await http.get("/orders/seven"),
        await http.get("/orders/7?verbose=maybe"),
    ):
        assert response.status_code == 400
        (error,) = response.json()["details"]["errors"]
        assert error["problem"].startswith("Expected")
    assert (await http.get("/broken")).json()["code"] == "internal"
    assert (await http.get("/nowhere")).json()["code"] == "not_found"


def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Litestar]]:
    """The paths of requests that are answered before Litestar has seen them, and the apps that are made."""
    fast: list[str] = []
    apps: list[Litestar] = []
    answer, open_ = FastPath.answer, FastPath.open

    async def noted_answer(path: FastPath, scope: dict[str, str], receive: Receive) -> object:
        answered = await answer(path, scope, receive)
        if answered is not None:
            fast.append(scope["path"])
        return answered

    def noted_open(path: FastPath, app: Litestar) -> None:
        apps.append(app)
        open_(path, app)

    monkeypatch.setattr(FastPath, "answer", noted_answer)
    monkeypatch.setattr(FastPath, "open", noted_open)
    return fast, apps


def kinds(app: Litestar) -> set[str]:
    return {type(route).__name__ for route in app.routes if route.path.startswith("/orders")}


async def test_with_all_of_them_requests_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, apps = watched(monkeypatch)
    async with running(shop()) as service:
        await ask_all(service)
    assert fast == ["/orders", "/orders", "/orders/seven", "/orders/7"]
    assert kinds(apps[0]) == {"_Route"}


@pytest.mark.parametrize(
    "name",
    [
        "HTTPRoute._get_cached_response",
        "HTTPRoute._call_handler_function",
        "ScopeState.from_scope",
        "Litestar.asgi_router",
    ],
)
async def test_without_one_of_them_the_fast_path_is_off_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    hide_part(monkeypatch, name)
    await assert_off(monkeypatch, caplog, name)


async def test_with_other_parameters_the_fast_path_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cached = cast("Any", HTTPRoute)._get_cached_response

    async def get_cached(request: Any, route_handler: Any, store: object = None) -> object:
        return await cached(request, route_handler)

    monkeypatch.setattr(HTTPRoute, "_get_cached_response", staticmethod(get_cached))
    await assert_off(monkeypatch, caplog, "HTTPRoute._get_cached_response(request, route_handler)")


async def test_where_the_state_of_a_request_is_elsewhere_all_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hide_part(monkeypatch, f"{ScopeState.__name__}.body")
    monkeypatch.setattr(litestar_internals, "HAS_STATE", False)
    await assert_off(monkeypatch, caplog, "ScopeState.body")


async def assert_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str) -> None:
    fast, apps = watched(monkeypatch)
    async with running(shop()) as service:
        (told,) = [line for line in caplog.messages if "the fast path of HTTP is off" in line]
        assert part in told
        assert "litestar 2." in told
        assert "\n" not in told
        await ask_all(service)
    assert fast == []
    assert kinds(apps[0]) == {"HTTPRoute"}


async def test_a_router_that_answers_otherwise_is_asked_by_litestar_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, apps = watched(monkeypatch)
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
    assert fast == []
