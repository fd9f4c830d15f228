"""What Litestar does around a handler is done once, also where its arguments are read by us, or are wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
from litestar import Request, Response, get
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException, PermissionDeniedException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.logging import LoggingConfig
from litestar.middleware import ASGIMiddleware
from litestar.params import FromPath
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Logger, Message, Receive, Scope, Send
from tests.http.web import AnyRequest, Repo, User, build, problem_of, serving, serving_app

from daebus import HttpLimits
from daebus.declare.recorder import Recorder
from daebus.errors import Conflict
from daebus.http.routes import RouteHandler
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

JSON = {"content-type": "application/json"}
USER = {"id": "u1", "email": "a@example.org"}


@pytest.fixture
def litestar_logger() -> Iterator[None]:
    """Litestar's logger, which a `LoggingConfig` configures for the whole process, as it was."""
    logger = logging.getLogger("litestar")
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture
def users() -> Recorder:
    return Recorder("users")


@pytest.fixture
def calls() -> list[str]:
    return []


@get("/halves/{number:decimal}")
async def halve(number: FromPath[Decimal]) -> str:
    return str(number / 2)


def without_id(response: httpx.Response) -> tuple[int, dict[str, str], str]:
    """Status, headers and body, but for what no two responses share."""
    headers = {name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")}
    return response.status_code, headers, response.text.replace(response.headers["x-request-id"], "ID")


class TestBeforeLitestar:
    """A request that needs nothing of Litestar's is answered before Litestar has seen it, as if it had."""

    @pytest.fixture
    def routes(self, users: Recorder, calls: list[str]) -> Recorder:
        @users.route("/")
        async def root() -> list[str]:
            return ["root"]

        @users.route("/users/<number>")
        async def show(number: int, size: int = 1, *, repo: Repo) -> list[int]:
            calls.append("show")
            if not number:
                raise Conflict("none")
            return [number, size]

        @users.route("/users", methods=["POST"])
        async def save(data: User) -> Any:
            calls.append("save")
            if data.id == "broken":
                raise RuntimeError("broken")
            return Response(data, status_code=202) if data.id == "later" else data

        return users

    @pytest.mark.parametrize(
        ("method", "url", "sent"),
        [
            ("GET", "/", {}),
            ("GET", "/users/3?size=2", {}),
            ("GET", "/users/3/", {}),
            ("GET", "//users//3", {}),
            ("GET", "/users/0", {}),
            ("GET", "/users/x", {}),
            ("GET", "/users/3?size=x", {}),
            ("GET", "/users/3", {"headers": {"host": "a/b"}}),
            ("GET", "/halves/3", {}),
            ("GET", "/halves/x", {}),
            ("GET", "/nowhere", {}),
            ("PUT", "/users", {"json": USER}),
            ("OPTIONS", "/users", {}),
            ("POST", "/users", {"json": USER}),
            ("POST", "/users", {"json": {**USER, "id": "later"}}),
            ("POST", "/users", {"json": {**USER, "id": "broken"}}),
            ("POST", "/users", {"json": {"id": 1}}),
            ("POST", "/users", {"content": "no JSON", "headers": JSON}),
            ("POST", "/users", {"content": b"\xff", "headers": JSON}),
            ("POST", "/users", {"content": "", "headers": JSON}),
            ("POST", "/users", {"content": ""}),
            ("POST", "/users", {"content": "{}"}),
            ("POST", "/users", {"content": "{}", "headers": {"content-type": "text/plain"}}),
            ("POST", "/users", {"content": b" " * 2_000_000}),
        ],
    )
    async def test_the_answer_is_the_same(
        self, routes: Recorder, calls: list[str], method: str, url: str, sent: dict[str, Any]
    ) -> None:
        class Around(ASGIMiddleware):
            async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
                calls.append("around")
                await next_app(scope, receive, send)

        found: list[tuple[Any, ...]] = []
        for litestar in ({}, {"middleware": [Around()]}):
            calls.clear()
            plain = {"route_handlers": [halve], "limits": HttpLimits(max_body_size=1_000_000)}
            async with serving(routes, **plain, **litestar) as client:
                response = await client.request(method, url, **sent)
            found.append((*without_id(response), [name for name in calls if name != "around"]))
        assert found[0] == found[1]

    @pytest.mark.parametrize(
        ("method", "url", "sent"),
        [
            ("GET", "/", {}),
            ("GET", "/users/3?size=2", {}),
            ("GET", "/users/0", {}),
            ("GET", "/users/x", {}),
            ("POST", "/users", {"json": USER}),
            ("POST", "/users", {"json": {**USER, "id": "later"}}),
            ("POST", "/users", {"json": {**USER, "id": "broken"}}),
            ("POST", "/users", {"content": "no JSON", "headers": JSON}),
        ],
    )
    async def test_the_answer_is_litestars_own(
        self, routes: Recorder, calls: list[str], method: str, url: str, sent: dict[str, Any]
    ) -> None:
        found: list[tuple[Any, ...]] = []
        for own in (False, True):
            calls.clear()
            async with serving_app(routes) as (app, client):
                for route in app.routes if own else ():
                    for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
                        if isinstance(handler, RouteHandler):
                            handler.arguments = None  # Litestar reads them, and its route handles the request
                response = await client.request(method, url, **sent)
            found.append((*without_id(response), [*calls]))
        assert found[0] == found[1]

    async def test_whoever_stands_around_the_app_knows_the_route(self, routes: Recorder) -> None:
        app = build(routes)
        found: list[object] = []

        async def around(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            found.extend([scope["path_template"], scope["path_params"], scope["app"] is app])

        server = HttpServer(around, host="127.0.0.1", port=0, logger=make_logger())
        url = f"http://127.0.0.1:{await server.start()}"
        async with app.lifespan(), httpx.AsyncClient(verify=False) as client:
            assert (await client.get(f"{url}/users/3")).json() == [3, 1]
        await server.stop(1)
        assert found == ["/users/{number}", {"number": "3"}, True]

    async def test_a_parameter_in_the_path_of_the_whole_app(self, users: Recorder) -> None:
        @users.route("/x")
        async def show(size: int) -> int:
            return size

        async with serving(users, path="/{tenant:str}") as client:
            assert (await client.get("/a/x?size=3")).json() == 3

    async def test_litestar_sees_only_what_it_has_to_see(self, routes: Recorder, calls: list[str]) -> None:
        async with serving_app(routes) as (app, client):
            handler = cast("Any", app.asgi_handler)

            async def count(scope: Scope, receive: Receive, send: Send) -> None:
                calls.append("Litestar")
                await app.asgi_router(scope, receive, send)

            handler.app = count
            for url in ("/", "/users/3", "/users/3?size=2"):
                assert (await client.get(url)).status_code == 200
            assert (await client.post("/users", json=USER)).status_code == 200
            assert calls == ["show", "show", "save"]
            calls.clear()
            for url in ("/users/x", "/users/3?size=x"):
                problem_of(await client.get(url), 400)
            problem_of(await client.post("/users", json={**USER, "id": 1}), 400)
            assert calls == []
            problem_of(await client.get("/users/0"), 409)
            assert calls == ["show", "Litestar"]

    @pytest.mark.parametrize("key", [400, ValidationException, HTTPException, Exception])
    @pytest.mark.parametrize("is_of_app", [False, True])
    async def test_an_exception_handler_of_the_users_is_told_of_wrong_arguments(
        self, users: Recorder, key: Any, is_of_app: bool
    ) -> None:
        def answer(_: AnyRequest, error: Any) -> Response[Any]:
            return Response({"detail": error.detail, "extra": error.extra}, status_code=422)

        no_options: dict[str, Any] = {}
        own: dict[str, Any] = {"exception_handlers": {key: answer}}

        @users.route("/x/<number>", methods=["POST"], **(no_options if is_of_app else own))
        async def save(number: int, data: User, size: int) -> None: ...

        async with serving(users, **(own if is_of_app else {})) as client:
            response = await client.post("/x/y?size=z", json={**USER, "id": 1})
        if key is Exception:  # daebus' own is for HTTPException, which is nearer
            problem_of(response, 400)
            return
        assert response.status_code == 422
        assert response.json() == {
            "detail": "Validation failed for POST /x/y",
            "extra": [
                {"message": "Expected `int`, got `str`", "key": "number", "source": "path"},
                {"message": "Expected `str`, got `int`", "key": "$.id", "source": "body"},
                {"message": "Expected `int`, got `str`", "key": "size", "source": "query"},
            ],
        }

    @pytest.mark.usefixtures("litestar_logger")
    async def test_a_hook_and_a_log_of_the_users_are_told_of_wrong_arguments(
        self, routes: Recorder, calls: list[str]
    ) -> None:
        async def note(error: Exception, scope: Scope) -> None:
            calls.append(f"{type(error).__name__} {scope['path']}")

        def log(_: Logger, scope: Scope, lines: list[str]) -> None:
            calls.append(f"{'InvalidRequest' in lines[-1]} {scope['path']}")

        config = LoggingConfig(log_exceptions="always", exception_logging_handler=log, configure_root_logger=False)
        for options in ({"after_exception": [note]}, {"logging_config": config}):
            async with serving(routes, **options) as client:
                problem_of(await client.get("/users/3?size=x"), 400)
        assert calls == ["InvalidRequest /users/3", "True /users/3"]

    async def test_what_may_be_none_may_be_left_out(self, users: Recorder) -> None:
        @users.route("/x")
        async def show(size: int | None, anything: Any, word: str | None = "a") -> list[Any]:
            return [size, anything, word]

        @users.route("/y")
        async def need(something: object) -> str:
            return str(something)

        async with serving(users) as client:
            assert (await client.get("/x")).json() == [None, None, "a"]
            assert (await client.get("/x?size=1&anything=2&word=")).json() == [1, "2", ""]
            assert (await client.get("/y?something=1")).text == "1"
            problem_of(await client.get("/y"), 400)

    async def test_what_is_put_around_litestar_later_sees_each_request(
        self, routes: Recorder, calls: list[str]
    ) -> None:
        async with serving_app(routes) as (app, client):
            inner = app.asgi_handler

            async def around(scope: Scope, receive: Receive, send: Send) -> None:
                calls.append(scope["path"])
                await inner(scope, receive, send)

            async def note(message: Message, scope: Scope) -> None:
                calls.append(message["type"])

            assert (await client.get("/")).json() == ["root"]
            assert calls == []
            app.asgi_handler = around
            assert (await client.get("/")).json() == ["root"]
            assert calls == ["/"]
            app.asgi_handler = inner
            app.before_send.append(note)
            assert (await client.get("/")).json() == ["root"]
            assert calls == ["/", "http.response.start", "http.response.body"]

    async def test_who_looks_at_an_error_finds_the_body(self, routes: Recorder) -> None:
        found: list[object] = []

        async def look(error: Exception, scope: Scope) -> None:
            request: AnyRequest = Request(scope)
            found.extend([str(error), await request.json()])

        sent = {**USER, "id": "broken"}
        async with serving(routes, after_exception=[look]) as client:
            problem_of(await client.post("/users", json=sent), 500)
        assert found == ["broken", sent]


class TestGuards:
    async def test_they_run_once_and_before_the_input_is_read(self, users: Recorder, calls: list[str]) -> None:
        async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
            calls.append(f"guard of {handler.opt['name']}")
            if "refused" in connection.headers:
                raise PermissionDeniedException("not you")

        @users.route("/users", methods=["POST"], guards=[guard], opt={"name": "save"})
        async def save(data: User, size: int = 1) -> int:
            calls.append("save")
            return size

        async with serving(users) as client:
            assert (await client.post("/users?size=2", json=USER)).json() == 2
            assert calls == ["guard of save", "save"]
            for url, sent in (("/users?size=x", "{}"), ("/users", "{}"), ("/users", "no JSON")):
                calls.clear()
                problem_of(await client.post(url, content=sent, headers=JSON), 400)
                assert calls == ["guard of save"]
                problem = problem_of(await client.post(url, content=sent, headers={"refused": "1", **JSON}), 403)
                assert problem["detail"] == "not you"
                assert calls == ["guard of save"] * 2


class TestHooks:
    async def test_one_before_the_handler_runs_once(self, users: Recorder, calls: list[str]) -> None:
        async def look(request: AnyRequest) -> None:
            calls.append(request.method)

        @users.route("/x", before_request=look)
        async def show(size: int) -> int:
            return size

        async with serving(users) as client:
            assert (await client.get("/x?size=3")).json() == 3
            problem_of(await client.get("/x?size=x"), 400)
        assert calls == ["GET"] * 2

    async def test_one_after_the_response_runs_once_it_is_sent(self, users: Recorder, calls: list[str]) -> None:
        async def note(request: AnyRequest) -> None:
            calls.append(request.url.path)

        @users.route("/x")
        async def show(size: int) -> int:
            calls.append("show")
            if not size:
                raise Conflict("none")
            return size

        @users.route("/y")
        async def other(headers: dict[str, str]) -> None: ...

        async with serving(users, after_response=note) as client:
            assert (await client.get("/x?size=3")).json() == 3
            await client.get("/y")
            problem_of(await client.get("/x?size=0"), 409)
        assert calls == ["show", "/x", "/y", "show"]


class TestResults:
    @pytest.mark.parametrize("litestar", [{}, {"compression_config": CompressionConfig("gzip", minimum_size=1)}])
    async def test_a_handler_runs_once_whatever_it_returns(
        self, users: Recorder, calls: list[str], litestar: Any
    ) -> None:
        @users.route("/data/<number>")
        async def data(number: int) -> Any:
            calls.append("data")
            results: list[Any] = [None, 0, {}, Response(7, status_code=203), "text", b""]
            return results[number]

        @users.route("/nothing")
        async def nothing() -> None:
            calls.append("nothing")

        async with serving(users, **litestar) as client:
            found = [await client.get(f"/data/{number}") for number in range(6)]
            assert (await client.get("/nothing")).status_code == 204
        assert [response.content for response in found] == [b"null", b"0", b"{}", b"7", b'"text"', b""]
        assert [response.status_code for response in found] == [200, 200, 200, 203, 200, 200]
        assert calls == ["data"] * 6 + ["nothing"]

    async def test_what_is_cached_is_read_as_strictly(self, users: Recorder, calls: list[str]) -> None:
        @users.route("/x", methods=["POST"], cache=10)
        async def find(data: dict[str, int], page: int = 1) -> int:
            calls.append("find")
            return data["a"]

        async with serving(users) as client:
            problem_of(await client.post("/x", content=b'{"a": 1}', headers={"content-type": "text/plain"}), 415)
            problem_of(await client.post("/x", json={"a": "1"}), 400)
            problem_of(await client.post("/x?page=x", json={"a": 1}), 400)
            for _ in range(2):
                assert (await client.post("/x", json={"a": 1})).json() == 1
        assert calls == ["find"]

    async def test_uploaded_files_are_closed(self, users: Recorder) -> None:
        files: list[UploadFile] = []

        @users.route("/photos", methods=["POST"])
        async def save(request: AnyRequest) -> str:
            files.append(cast("UploadFile", (await request.form())["photo"]))
            return (await files[0].read()).decode()

        async with serving(users) as client:
            assert (await client.post("/photos", files={"photo": ("p.txt", b"pixels")})).text == "pixels"
        assert files[0].file.closed


class TestMiddleware:
    """What wraps a handler sees all that is answered."""

    async def test_it_sees_errors(self, users: Recorder, calls: list[str]) -> None:
        class Watching(ASGIMiddleware):
            async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
                async def watch(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        calls.append(str(message["status"]))
                    await send(message)

                await next_app(scope, receive, watch)

        def answer(request: AnyRequest, error: Exception) -> Response[Any]:
            return Response(str(error), status_code=418)

        @users.route("/x/<number>", exception_handlers={KeyError: answer})
        async def show(number: int) -> int:
            raise [Conflict("taken"), KeyError("tea"), ValueError("unknown")][number]

        async with serving(users, middleware=[Watching()]) as client:
            found = [(await client.get(f"/x/{number}")).status_code for number in (0, 1, 2, "x")]
        assert found == [409, 418, 500, 400]
        assert calls == [str(status) for status in found]

    async def test_forged_requests_are_refused(self, users: Recorder, calls: list[str]) -> None:
        @users.route("/x", methods=["GET", "POST"])
        async def save() -> int:
            calls.append("save")
            return 1

        async with serving(users, csrf_config=CSRFConfig("secret", cookie_secure=False)) as client:
            assert (await client.post("/x")).status_code == 403
            assert calls == []
            token = (await client.get("/x")).cookies["csrftoken"]
            assert (await client.post("/x", headers={"x-csrftoken": token})).json() == 1
        assert calls == ["save"] * 2

    async def test_other_hosts_are_refused(self, users: Recorder, calls: list[str]) -> None:
        @users.route("/x")
        async def show() -> None:
            calls.append("show")

        async with serving(users, allowed_hosts=["example.org"]) as client:
            assert (await client.get("/x")).status_code == 400
            assert calls == []
            assert (await client.get("/x", headers={"host": "example.org"})).status_code == 204

    async def test_a_plugin_sees_the_routes(self, users: Recorder, calls: list[str]) -> None:
        class Listing(ReceiveRoutePlugin):
            def receive_route(self, route: BaseRoute) -> None:
                if isinstance(route, HTTPRoute):
                    calls.append(route.path)

        @users.route("/x")
        async def show() -> int:
            return 1

        async with serving(users, plugins=[Listing()]) as client:
            assert (await client.get("/x")).json() == 1
        assert "/x" in calls
