from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import msgspec
import pytest
from litestar import Controller, Litestar, get
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import (
    PermissionDeniedException,
)
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp, Receive, Scope, Send
from tests.http.web import AnyRequest, Repo, User, build, problem_of, serving

from daebus import HttpLimits, WebSocketLimits
from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.declare.recorder import Recorder
from daebus.errors import (
    ConfigurationError,
    WiringError,
)
from daebus.mistakes.sources import line_at
from daebus.openapi import page
from daebus.openapi.page import Documents
from daebus.pages import html


@pytest.fixture
def users() -> Recorder:
    return Recorder("users")


class Opaque:
    pass


class Holder(msgspec.Struct):
    inside: list[Opaque]


class TestLitestar:
    """What is Litestar's goes through untouched."""

    async def test_guards(self, users: Recorder) -> None:
        def only_eve(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
            if connection.headers.get("x-user") != handler.opt["user"]:
                raise PermissionDeniedException("not you")

        @users.route("/x", guards=[only_eve], opt={"user": "eve"})
        async def show() -> str:
            return "in"

        async with serving(users) as client:
            assert (await client.get("/x", headers={"x-user": "eve"})).text == "in"
            problem = problem_of(await client.get("/x"), 403)
        assert (problem["code"], problem["detail"]) == ("forbidden", "not you")

    async def test_middleware(self, users: Recorder) -> None:
        class Marking(ASGIMiddleware):
            async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
                scope["state"]["mark"] = "marked"
                await next_app(scope, receive, send)

        @users.route("/x")
        async def show(request: AnyRequest) -> str:
            return cast("str", request.state.mark)

        async with serving(users, middleware=[Marking()]) as client:
            assert (await client.get("/x")).text == "marked"

    async def test_cors(self, users: Recorder) -> None:
        @users.route("/x", methods=["PUT"])
        async def save() -> None: ...

        origin = {"origin": "https://example.org"}
        async with serving(users, cors_config=CORSConfig(allow_origins=["https://example.org"])) as client:
            preflight = await client.options("/x", headers={**origin, "access-control-request-method": "PUT"})
            assert preflight.status_code == 204
            assert preflight.headers["access-control-allow-origin"] == "https://example.org"
            for path in ("/x", "/nope"):
                response = await client.put(path, headers=origin)
                assert response.headers["access-control-allow-origin"] == "https://example.org"

    async def test_hooks_and_lifespans_run_inside_of_ours(self, users: Recorder) -> None:
        order: list[str] = []

        def around(name: str) -> Any:
            @asynccontextmanager
            async def lifespan(_: Litestar) -> AsyncGenerator[None]:
                order.append(f"{name} begins")
                yield
                order.append(f"{name} ends")

            return lifespan

        settings = DaebusHttp(
            lifespan=[around("theirs")],
            on_startup=[lambda: order.append("started")],
            on_shutdown=[lambda: order.append("stopped")],
        )
        async with build(users, settings, lifespan=[around("ours")]).lifespan():
            order.append("running")
        assert order == [
            "ours begins", "theirs begins", "started", "running", "theirs ends", "ours ends", "stopped",
        ]  # fmt: skip

    async def test_before_send(self, users: Recorder) -> None:
        async def mark(message: Any, _: Scope) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-mark", b"1"))

        async with serving(users, before_send=[mark]) as client:
            response = await client.get("/x")
        assert (response.headers["x-mark"], len(response.headers["x-request-id"])) == ("1", 32)

    async def test_route_handlers_and_extra_handlers(self, users: Recorder) -> None:
        class Plain(Controller):
            path = "/plain"

            @get()
            async def show(self) -> str:
                return "plain"

        @get("/extra")
        async def extra() -> str:
            return "extra"

        app = build(users, DaebusHttp(route_handlers=[Plain]), extra_handlers=[extra])
        transport = httpx.ASGITransport(app=cast("Any", app))
        async with httpx.AsyncClient(transport=transport, base_url="http://x", verify=False) as client:
            assert [(await client.get(path)).text for path in ("/plain", "/extra")] == ["plain", "extra"]

    async def test_a_path_for_all(self, users: Recorder) -> None:
        @users.route("/x")
        async def show() -> str:
            return "x"

        async with serving(users, path="/v1") as client:
            assert (await client.get("/v1/x")).text == "x"

    def test_logging_is_left_alone(self, users: Recorder) -> None:
        before = logging.getLogger().handlers[:]
        assert build(users).logging_config is None
        assert logging.getLogger().handlers == before
        assert logging.getLogger("litestar").handlers == []


class TestOpenApi:
    async def document(self, users: Recorder, **litestar: Any) -> dict[str, Any]:
        async with serving(users, **{"schema": True, **litestar}) as client:
            assert (await client.get("/schema")).status_code == 200
            found: dict[str, Any] = (await client.get("/schema/openapi.json")).json()
            return found

    async def test_operations_are_named_and_described_by_their_functions(self, users: Recorder) -> None:
        @users.route("/users/<user_id>")
        async def get_user(user_id: Annotated[str, msgspec.Meta(min_length=2)], *, repo: Repo) -> User:
            """One user.

            With all that is known.
            """
            return repo.find(user_id)

        @users.route("/users", methods=["POST"], status_code=201, tags=["writing"], summary="Make one")
        async def create_user(data: User) -> User:
            return data

        document = await self.document(users)
        assert document["info"] == {"title": "user_service", "version": "1.0.0"}
        assert "Litestar" not in json.dumps(document)
        reading = document["paths"]["/users/{user_id}"]["get"]
        assert reading["operationId"] == "users_get_user"
        assert (reading["summary"], reading["description"]) == ("One user.", "With all that is known.")
        (parameter,) = reading["parameters"]
        assert (parameter["name"], parameter["in"], parameter["schema"]["minLength"]) == ("user_id", "path", 2)
        assert list(reading["responses"]["400"]["content"]) == ["application/problem+json"]
        writing = document["paths"]["/users"]["post"]
        assert (writing["operationId"], writing["summary"], writing["tags"]) == (
            "users_create_user",
            "Make one",
            ["writing"],
        )
        assert list(writing["responses"]) == ["201", "400", "413", "415", "5XX"]
        assert writing["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("User")

    async def test_operation_ids_are_unique_and_stay_when_routes_are_added(self, users: Recorder) -> None:
        def record(path: str, **options: Any) -> None:
            @users.route(path, **options)
            async def index() -> None: ...

        record("/a", methods=["GET", "POST"])
        record("/b")
        record("/c/d")
        document = await self.document(users)
        ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
        assert sorted(ids) == ["users_index", "users_index_b", "users_index_c_d", "users_index_post"]

    async def test_plain_handlers_keep_litestars_ids(self, users: Recorder) -> None:
        @get("/plain")
        async def plain() -> None: ...

        document = await self.document(users, route_handlers=[plain])
        assert document["paths"]["/plain"]["get"]["operationId"] == "PlainPlain"

    async def test_a_configuration_of_the_users(self, users: Recorder) -> None:
        @users.route("/x", operation_id="mine")
        async def show() -> None: ...

        document = await self.document(users, openapi_config=OpenAPIConfig("Mine", "2"))
        assert document["info"] == {"title": "Mine", "version": "2"}
        assert document["paths"]["/x"]["get"]["operationId"] == "mine"

    async def test_pages_and_documents_are_made_once(self, users: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        made = list[str]()

        def render(*given: Any, **options: Any) -> str:
            made.append("page")
            return html.render(*given, **options)

        def asyncapi() -> dict[str, Any]:
            made.append("document")
            return {"asyncapi": "3.0.0", "info": {"title": "user_service"}}

        monkeypatch.setattr(page, "render", render)
        app = build(users, DaebusHttp(schema=True), documents=Documents(asyncapi=asyncapi))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(cast("Any", app)), base_url="http://localhost"
        ) as client:
            paths = ("/schema", "/schema/openapi.yaml", "/asyncapi", "/asyncapi/asyncapi.json")
            first, second = [[(await client.get(path)).content for path in paths] for _ in range(2)]
        assert (first, made) == (second, ["page", "document", "page"])

    async def test_it_can_be_turned_off(self, users: Recorder) -> None:
        async with serving(users, openapi_config=None) as client:
            problem_of(await client.get("/schema"), 404)


class TestMistakes:
    def refused(self, users: Recorder, **litestar: Any) -> str:
        with pytest.raises(WiringError) as refused:
            build(users, DaebusHttp(**litestar))
        return "\n".join(f"{one.where}: {one.code}: {one.message} -> {one.remedy}" for one in refused.value.problems)

    def test_an_unknown_option_of_a_route(self, users: Recorder) -> None:
        @users.route("/x", guard=[])  # type: ignore[call-arg]
        async def show() -> None: ...

        @users.route("/y", colour="red")  # type: ignore[call-arg]
        async def other() -> None: ...

        text = self.refused(users)
        assert "unknown-option: route GET /x: a route has no option 'guard' -> did you mean 'guards'?" in text
        assert "route GET /y: a route has no option 'colour' -> put values of your own into opt={...}" in text
        assert text.count("\n") == 1

    @pytest.mark.parametrize("name", ["http_method", "sync_to_thread"])
    def test_an_option_that_the_route_sets_itself(self, users: Recorder, name: str) -> None:
        @users.route("/x", **cast("dict[str, Any]", {name: "POST"}))
        async def show() -> None: ...

        assert f"a route has no option {name!r}" in self.refused(users)

    def test_an_unknown_option_of_the_app(self, users: Recorder) -> None:
        with pytest.raises(WiringError) as caught:
            build(users, DaebusHttp(cors=None))  # type: ignore[call-arg]
        (problem,) = caught.value.problems
        assert (problem.code, problem.remedy) == ("unknown-option", "did you mean 'cors_config'?")
        assert problem.found == "it has no option 'cors', nor has Litestar"
        assert (span := problem.span) is not None
        assert "DaebusHttp(cors=None)" in line_at(span.path, span.line)
        with pytest.raises(WiringError, match="see the arguments of litestar"):
            build(users, DaebusHttp(zzz=None))  # type: ignore[call-arg]
        with pytest.raises(WiringError, match="did you mean 'port'"):
            build(users, DaebusHttp(prot=3))  # type: ignore[call-arg]
        with pytest.raises(WiringError, match=r"write limits=HttpLimits\(max_body_size=\.\.\.\)"):
            build(users, DaebusHttp(max_body_size=3))  # type: ignore[call-arg]

    def test_options_that_litestar_refuses(self, users: Recorder) -> None:
        with pytest.raises(ConfigurationError, match=r"Litestar refuses what DaebusHttp\(\.\.\.\) passes to it"):
            build(users, DaebusHttp(route_handlers=["no handler"]))

    def test_a_route_that_litestar_refuses_is_named(self, users: Recorder) -> None:
        @users.route("/x", guards=3)  # type: ignore[arg-type]
        async def show() -> str:
            return ""

        text = self.refused(users)
        assert "refused-by-litestar: route GET /x: Litestar refuses it: 'int' object is not iterable" in text
        assert f"test_application.py:{show.__code__.co_firstlineno}" in text

    @pytest.mark.parametrize("path", ["/schema", "/schema/openapi.json"])
    def test_the_path_of_the_documentation_is_taken(self, users: Recorder, path: str) -> None:
        @users.route(path)
        async def show() -> str:
            return ""

        text = self.refused(users)
        assert f"same-route: route GET {path}: daebus serves the documentation of the routes at /schema" in text
        assert "choose another path, or write DaebusHttp(schema=False)" in text
        build(users, DaebusHttp(schema=False))

    def test_the_path_of_the_messages_is_taken(self, users: Recorder) -> None:
        @users.route("/asyncapi")
        async def show() -> str:
            return ""

        with pytest.raises(WiringError, match="daebus serves the documentation of the messages at /asyncapi"):
            build(users, DaebusHttp(), documents=Documents(asyncapi=dict))
        build(users, DaebusHttp(schema=False), documents=Documents(asyncapi=dict))

    def test_paths_that_collide(self, users: Recorder) -> None:
        @users.route("/x/<a>")
        async def one(a: str) -> None: ...

        @users.route("/x/<b>/", methods=["POST", "GET"])  # type: ignore[daebus-duplicate]
        async def two(b: str) -> None: ...

        text = self.refused(users)
        assert "same-route: route POST|GET /x/<b>/: GET /x/<a> is the same path to the router" in text
        assert "\n" not in text

    def test_a_result_without_a_json_form(self, users: Recorder) -> None:
        def reveal(_: object) -> str:
            return ""

        @users.route("/x")
        async def show() -> Holder:
            raise NotImplementedError

        assert "what it returns cannot be encoded as JSON: Opaque has no JSON form" in self.refused(users)
        build(users, DaebusHttp(type_encoders={Opaque: reveal}))

    def test_results_whose_form_is_known_only_later_pass(self, users: Recorder) -> None:
        @users.route("/a")
        async def anything() -> Any: ...

        @users.route("/b")
        async def mapping() -> dict[int, Path | Decimal]: ...  # type: ignore[empty-body]

        @users.route("/c")
        async def something() -> object: ...

        build(users)

    @pytest.mark.parametrize(
        "annotation",
        [
            Annotated[int, msgspec.Meta(ge=1)] | Annotated[str, msgspec.Meta(min_length=1)],
            Annotated[datetime, msgspec.Meta(tz=True)],
        ],
    )
    def test_bounds_that_litestar_would_drop(self, users: Recorder, annotation: object) -> None:
        def show(a: object) -> None: ...

        show.__annotations__["a"] = annotation
        users.route("/x")(show)
        assert "Litestar does not check" in self.refused(users)


class TestSettings:
    @pytest.mark.parametrize("port", [-1, 65536, "8080"])
    def test_ports_that_cannot_be(self, port: int) -> None:
        for component in (DaebusHttp, DaebusWebSocket):
            with pytest.raises(ConfigurationError, match=rf"{component.__name__}\(port={port!r}\): a port is a number"):
                component(port=port)

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            (HttpLimits, {"max_body_size": 0}),
            (HttpLimits, {"body_timeout": 0}),
            (HttpLimits, {"min_rate": 1.5}),
            (HttpLimits, {"max_connections": 0}),
            (WebSocketLimits, {"max_clients": 0}),
            (WebSocketLimits, {"max_message_size": "1"}),
            (WebSocketLimits, {"max_per_address": -1}),
        ],
    )
    def test_limits_that_cannot_be(self, kind: Any, options: dict[str, Any]) -> None:
        with pytest.raises(WiringError) as caught:
            kind(**options)
        (problem,), ((name, value),) = caught.value.problems, options.items()
        assert (problem.code, problem.subject) == ("wrong-option", f"{kind.__name__}(...)")
        assert problem.found.startswith(f"{name}={value!r}")
        assert (span := problem.span) is not None
        assert "kind(**options)" in line_at(span.path, span.line)

    @pytest.mark.parametrize("component", [DaebusHttp, DaebusWebSocket])
    def test_limits_of_another_kind(self, component: Any) -> None:
        with pytest.raises(WiringError, match=rf"{component.__name__}\(\.\.\.\): limits=3"):
            component(limits=3)

    def test_a_websocket_path_that_cannot_be(self) -> None:
        for path in ("ws", "/ws/<id>", "/ws/{id}", "/w s"):
            with pytest.raises(ConfigurationError, match="a path begins with a slash"):
                DaebusWebSocket(path)


def test_the_settings_load_neither_litestar_nor_granian() -> None:
    code = (
        "import sys, daebus.asgi.settings, daebus.server.server\n"
        "sys.exit(' '.join(name for name in ('litestar', 'granian') if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
