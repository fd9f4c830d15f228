from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from dependency_injector import containers, providers
from litestar import Litestar, Request, Response
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.config.response_cache import ResponseCacheConfig
from litestar.datastructures import State, UploadFile
from litestar.di import NamedDependency, Provide
from litestar.dto import DTOConfig, MsgspecDTO
from litestar.enums import MediaType, RequestEncodingType
from litestar.exceptions import (
    NotAuthorizedException,
)
from litestar.params import Body, FromHeader, HeaderParameter, QueryParameter
from litestar.response import File, Redirect, Stream
from litestar.types import ASGIApp, Receive, Scope, Send

from daebus.core.context import Context, current_context
from daebus.core.errors import (
    Conflict,
    NotFound,
)
from daebus.core.logs import make_logger
from daebus.core.recorder import Recorder
from daebus.core.specs import RouteSpec
from daebus.transports.edge import DaebusHttp
from daebus.transports.http import HttpRoute, build_litestar
from daebus.transports.paths import check_path
from daebus.transports.server import HttpServer
from daebus.wiring.compiling import Rule, compile_endpoint
from daebus.wiring.per_message import PerMessage
from daebus.wiring.workers import WorkerPool

AnyRequest = Request[Any, Any, Any]


class User(msgspec.Struct):
    id: str
    email: Annotated[str, msgspec.Meta(pattern=r".+@.+")]
    tags: list[int] = []


class Repo:
    def __init__(self) -> None:
        self.users = {"u1": User("u1", "a@example.org")}

    def find(self, user_id: str) -> User:
        if user_id not in self.users:
            raise NotFound(f"User {user_id} not found", details={"user_id": user_id})
        return self.users[user_id]


class Session:
    """Opened for each message; says what became of it."""

    def __init__(self) -> None:
        self.is_open = True


sessions: list[str] = []


@contextlib.contextmanager
def open_session() -> Generator[Session]:
    session = Session()
    try:
        yield session
    except BaseException:
        sessions.append("rolled back")
        raise
    else:
        sessions.append("committed")
    finally:
        session.is_open = False


class Lazy(msgspec.Struct):
    """Can be encoded only while its session is open."""

    session: Any


class Services(containers.DeclarativeContainer):
    repo = providers.Singleton(Repo)
    session = PerMessage(open_session)


@pytest.fixture(autouse=True)
def no_sessions() -> Iterator[None]:
    sessions.clear()
    yield
    sessions.clear()


@pytest.fixture
def users() -> Recorder:
    return Recorder("users")


def build(
    recorder: Recorder, settings: DaebusHttp | None = None, workers: WorkerPool | None = None, **more: Any
) -> Litestar:
    routes: list[HttpRoute] = []
    container, rule = Services(), Rule(kind="a route", free=True)
    for spec in recorder.specs:
        assert isinstance(spec, RouteSpec)
        problems = check_path(spec, spec.read_signature())
        assert problems == [], [str(problem) for problem in problems]
        endpoint = compile_endpoint(spec, container, workers or WorkerPool(2), rule, lambda _: lambda result: result)
        routes.append(HttpRoute(spec, endpoint))
    return build_litestar(settings or DaebusHttp(), routes, service="user_service", logger=make_logger(), **more)


@asynccontextmanager
async def serving(recorder: Recorder, **litestar: Any) -> AsyncGenerator[httpx.AsyncClient]:
    workers = WorkerPool(2)
    app = build(recorder, DaebusHttp(**litestar), workers)
    server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger())
    async with app.lifespan():
        base_url = f"http://127.0.0.1:{await server.start()}"
        try:
            async with httpx.AsyncClient(base_url=base_url, verify=False) as client:
                yield client
        finally:
            await server.stop(1)
            workers.close()


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


class TestInput:
    async def test_a_path_parameter_and_a_service(self, users: Recorder) -> None:
        @users.route("/api/users/<user_id>")
        async def get_user(user_id: str, *, repo: Repo) -> User:
            return repo.find(user_id)

        async with serving(users) as client:
            response = await client.get("/api/users/u1")
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"id": "u1", "email": "a@example.org", "tags": []}

    async def test_path_parameters_of_many_types(self, users: Recorder) -> None:
        @users.route("/<number>/<price>/<key>/<word>")
        async def show(number: int, price: Decimal, key: UUID, word: str | int) -> list[str]:
            return [type(value).__name__ for value in (number, price, key, word)]

        async with serving(users) as client:
            assert (await client.get(f"/3/1.50/{uuid4()}/x")).json() == ["int", "Decimal", "UUID", "str"]

    async def test_query_parameters(self, users: Recorder) -> None:
        @users.route("/list")
        async def show(page: int, tag: list[str] | None = None, size: Annotated[int, msgspec.Meta(le=100)] = 20) -> Any:
            return [page, tag, size]

        async with serving(users) as client:
            assert (await client.get("/list?page=2")).json() == [2, None, 20]
            assert (await client.get("/list?page=2&tag=a&tag=b&size=5")).json() == [2, ["a", "b"], 5]

    async def test_a_query_parameter_under_another_name(self, users: Recorder) -> None:
        @users.route("/list")
        async def show(text: Annotated[str, QueryParameter(name="query")]) -> dict[str, str]:
            return {"text": text}

        async with serving(users) as client:
            assert (await client.get("/list?query=x")).json() == {"text": "x"}
            problem = problem_of(await client.get("/list"), 400)
        assert problem["detail"] == "The query parameter `query` is missing"

    async def test_a_body(self, users: Recorder) -> None:
        @users.route("/users", methods=["POST"], status_code=201)
        async def create(data: User, *, repo: Repo) -> User:
            repo.users[data.id] = data
            return repo.find(data.id)

        async with serving(users) as client:
            response = await client.post("/users", json={"id": "u2", "email": "b@example.org", "tags": [1]})
        assert response.status_code == 201
        assert response.json() == {"id": "u2", "email": "b@example.org", "tags": [1]}

    async def test_what_litestar_passes_under_its_own_names(self, users: Recorder) -> None:
        @users.route("/all", methods=["POST"])
        async def show(
            request: AnyRequest,
            headers: dict[str, str],
            cookies: dict[str, str],
            query: dict[str, str],
            body: bytes,
            scope: Scope,
            state: State,
        ) -> list[Any]:
            return [request.method, headers["x-a"], cookies, query, body.decode(), scope["path"], state.copy()]

        async with serving(users, state=State({"made": "here"})) as client:
            headers = {"x-a": "1", "cookie": "c=2"}
            response = await client.post("/all?q=3", headers=headers, content=b"4")
        assert response.json() == ["POST", "1", {"c": "2"}, {"q": "3"}, "4", "/all", {"made": "here"}]

    async def test_single_headers(self, users: Recorder) -> None:
        @users.route("/one")
        async def show(agent: Annotated[str, HeaderParameter(name="X-Agent")], host: FromHeader[str]) -> list[str]:
            return [agent, host.partition(":")[0]]

        async with serving(users) as client:
            assert (await client.get("/one", headers={"x-agent": "me"})).json() == ["me", "127.0.0.1"]
            problem = problem_of(await client.get("/one"), 400)
        assert problem["detail"] == "The header `X-Agent` is missing"

    async def test_a_form_and_a_file(self, users: Recorder) -> None:
        @dataclass
        class Form:
            name: str
            photo: UploadFile

        @users.route("/form", methods=["POST"])
        async def save(data: Annotated[Form, Body(media_type=RequestEncodingType.MULTI_PART)]) -> list[str]:
            return [data.name, (await data.photo.read()).decode()]

        async with serving(users) as client:
            response = await client.post("/form", data={"name": "n"}, files={"photo": ("p.txt", b"pixels")})
        assert response.json() == ["n", "pixels"]

    async def test_the_context(self, users: Recorder) -> None:
        @users.route("/context/<user_id>")
        async def show(user_id: str, context: Context) -> list[Any]:
            assert current_context.get() is context
            return [user_id, context.request_id, context.service, context.handler]

        async with serving(users) as client:
            response = await client.get("/context/u1", headers={"x-request-id": "abc"})
        assert response.json() == ["u1", "abc", "user_service", "route GET /context/<user_id>"]

    async def test_the_rest_of_the_url_is_a_path_that_cannot_escape(self, users: Recorder) -> None:
        @users.route("/files/<file>")
        async def show(file: Path) -> str:
            return str(Path("/srv/files") / file)

        async with serving(users) as client:
            assert (await client.get("/files/a/b.txt")).text == "/srv/files/a/b.txt"
            assert (await client.get("/files//etc/passwd")).text == "/srv/files/etc/passwd"
            problem_of(await client.get("/files/a/%2e%2e/%2e%2e/etc/passwd"), 404)

    async def test_litestars_own_dependencies(self, users: Recorder) -> None:
        async def current_user(name: Annotated[str, HeaderParameter(name="X-User")]) -> str:
            return name.upper()

        async def greeting() -> str:
            return "Hello"

        @users.route("/me", dependencies={"user": Provide(current_user)})
        async def show(user: NamedDependency[str], greeting: NamedDependency[str]) -> str:
            return f"{greeting}, {user}"

        async with serving(users, dependencies={"greeting": Provide(greeting)}) as client:
            assert (await client.get("/me", headers={"x-user": "eve"})).text == "Hello, EVE"

    async def test_no_deprecation_of_litestars_reaches_the_user(
        self, users: Recorder, recwarn: pytest.WarningsRecorder
    ) -> None:
        @users.route("/<a>", methods=["POST"])
        async def show(a: int, b: str, data: User, headers: dict[str, str], query: dict[str, str]) -> None: ...

        build(users)
        assert [str(warning.message) for warning in recwarn] == []


class TestOutput:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def test_every_method_answers_200(self, users: Recorder, method: str) -> None:
        @users.route("/x", methods=[method])
        async def show() -> dict[str, int]:
            return {"a": 1}

        async with serving(users) as client:
            response = await client.request(method, "/x")
        assert (response.status_code, response.json()) == (200, {"a": 1})

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_nothing_is_204(self, users: Recorder, method: str) -> None:
        @users.route("/x", methods=[method])
        async def show() -> None: ...

        async with serving(users) as client:
            response = await client.request(method, "/x")
        assert (response.status_code, response.content) == (204, b"")
        assert "content-type" not in response.headers

    async def test_an_optional_result_is_null(self, users: Recorder) -> None:
        @users.route("/x")
        async def show() -> User | None:
            return None

        async with serving(users) as client:
            response = await client.get("/x")
        assert (response.status_code, response.content) == (200, b"null")

    async def test_one_handler_for_two_methods(self, users: Recorder) -> None:
        @users.route("/x", methods=["get", "post"])
        async def show(request: AnyRequest) -> str:
            return request.method

        async with serving(users) as client:
            assert [(await client.request(method, "/x")).text for method in ("GET", "POST")] == ["GET", "POST"]
            assert (await client.post("/x")).status_code == 200

    async def test_two_handlers_on_one_path(self, users: Recorder) -> None:
        @users.route("/x/<a>")
        async def read(a: int) -> str:
            return f"read {a}"

        @users.route("/x/<a>", methods=["POST", "PUT"])
        async def write(a: str, data: int) -> str:
            return f"write {a} {data}"

        async with serving(users) as client:
            assert (await client.get("/x/1")).text == "read 1"
            assert (await client.post("/x/b", json=2)).text == "write b 2"
            options = await client.options("/x/1")
            assert (options.status_code, options.headers["allow"]) == (204, "GET, OPTIONS, POST, PUT")
            assert set((await client.delete("/x/1")).headers["allow"].split(", ")) == {"GET", "OPTIONS", "POST", "PUT"}

    async def test_text_and_bytes_are_left_alone(self, users: Recorder) -> None:
        @users.route("/text")
        async def text() -> str:
            return "plain"

        @users.route("/html", media_type=MediaType.HTML)
        async def html() -> str:
            return "<p>"

        @users.route("/raw", media_type="image/png")
        async def raw() -> bytes:
            return b"\x89PNG"

        @users.route("/json", media_type=MediaType.JSON)
        async def encoded() -> bytes:
            return b'{"by": "hand"}'

        async with serving(users) as client:
            found = [await client.get(path) for path in ("/text", "/html", "/raw", "/json")]
        assert [(response.headers["content-type"].partition(";")[0], response.content) for response in found] == [
            ("text/plain", b"plain"),
            ("text/html", b"<p>"),
            ("image/png", b"\x89PNG"),
            ("application/json", b'{"by": "hand"}'),
        ]

    async def test_litestars_responses(self, users: Recorder, tmp_path: Path) -> None:
        (tmp_path / "f.txt").write_text("a file")
        done: list[str] = []

        @users.route("/response")
        async def response() -> Response[User]:
            background = BackgroundTask(done.append, "later")
            return Response(User("u", "a@b"), status_code=202, headers={"x-a": "b"}, background=background)

        @users.route("/redirect")
        async def redirect() -> Redirect:
            return Redirect("/elsewhere")

        @users.route("/stream")
        async def stream() -> Stream:
            return Stream(iter(["a", "b"]))

        @users.route("/file")
        async def file() -> File:
            return File(tmp_path / "f.txt")

        @users.route("/asgi")
        async def asgi() -> ASGIApp:
            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body", "body": b"teapot", "more_body": False})

            return app

        @users.route("/either/<a>")
        async def either(a: int) -> User | Response[None]:
            return User("u", "a@b") if a else Response(None, status_code=404)

        async with serving(users) as client:
            answered = await client.get("/response")
            assert (answered.status_code, answered.headers["x-a"], answered.json()["id"]) == (202, "b", "u")
            assert done == ["later"]
            moved = await client.get("/redirect")
            assert (moved.status_code, moved.headers["location"]) == (302, "/elsewhere")
            assert (await client.get("/stream")).text == "ab"
            assert (await client.get("/file")).text == "a file"
            assert (await client.get("/asgi")).status_code == 418
            assert [(await client.get(f"/either/{a}")).status_code for a in (0, 1)] == [404, 200]
            assert all("x-request-id" in (await client.get(path)).headers for path in ("/asgi", "/file", "/redirect"))

    async def test_headers_cookies_and_background_tasks_of_a_route(self, users: Recorder) -> None:
        done: list[str] = []

        @users.route(
            "/x",
            response_headers={"x-a": "b"},
            response_cookies={"c": "d"},
            background=BackgroundTask(done.append, "y"),
        )
        async def show() -> dict[str, int]:
            return {"a": 1}

        async with serving(users) as client:
            response = await client.get("/x")
            assert (response.headers["x-a"], response.cookies["c"], response.json()) == ("b", "d", {"a": 1})
        assert done == ["y"]

    async def test_type_encoders_of_the_app_and_of_the_route(self, users: Recorder) -> None:
        @users.route("/x", type_encoders={complex: str})
        async def show() -> dict[str, Any]:
            return {"a": 1 + 2j, "b": SimpleNamespace(c=1)}

        async with serving(users, type_encoders={SimpleNamespace: vars}) as client:
            assert (await client.get("/x")).json() == {"a": "(1+2j)", "b": {"c": 1}}

    async def test_dtos(self, users: Recorder) -> None:
        class Public(MsgspecDTO[User]):
            config = DTOConfig(exclude={"email"})

        @users.route("/x", return_dto=Public)
        async def show(*, repo: Repo) -> User:
            return repo.find("u1")

        async with serving(users) as client:
            assert (await client.get("/x")).json() == {"id": "u1", "tags": []}

    async def test_hooks_see_the_object(self, users: Recorder) -> None:
        async def rename(response: Response[Any]) -> Response[Any]:
            response.content = User("renamed", response.content.email)
            return response

        @users.route("/x", after_request=rename)
        async def show(*, repo: Repo) -> User:
            return repo.find("u1")

        async with serving(users) as client:
            assert (await client.get("/x")).json()["id"] == "renamed"

    async def test_a_response_class_of_ones_own(self, users: Recorder) -> None:
        class Shouting(Response[Any]):
            def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
                return str(content).upper().encode()

        @users.route("/x", response_class=Shouting)
        async def show() -> dict[str, str]:
            return {"a": "b"}

        async with serving(users) as client:
            assert (await client.get("/x")).text == "{'A': 'B'}"

    async def test_compression_and_caching(self, users: Recorder) -> None:
        calls: list[int] = []

        @users.route("/x", cache=10)
        async def show() -> list[int]:
            calls.append(1)
            return [0] * 1000

        config = {"compression_config": CompressionConfig("gzip"), "response_cache_config": ResponseCacheConfig()}
        async with serving(users, **config) as client:
            for _ in range(2):
                response = await client.get("/x")
                assert response.headers["content-encoding"] == "gzip"
                assert response.json() == [0] * 1000
        assert calls == [1]


class TestPerMessage:
    async def test_an_object_is_open_while_the_result_is_encoded(self, users: Recorder) -> None:
        def reveal(session: Session) -> str:
            return "open" if session.is_open else "closed"

        encoders = {Session: reveal}

        @users.route("/plain")
        async def plain(*, session: Session) -> Lazy:
            return Lazy(session)

        @users.route("/thread")
        def thread(*, session: Session) -> Lazy:
            return Lazy(session)

        @users.route("/response")
        async def response(*, session: Session) -> Response[Lazy]:
            return Response(Lazy(session), status_code=203)

        @users.route("/headers", response_headers={"a": "b"})
        async def headers(*, session: Session) -> Lazy:
            return Lazy(session)

        async with serving(users, type_encoders=encoders) as client:
            for path in ("/plain", "/thread", "/response", "/headers"):
                assert (await client.get(path)).json() == {"session": "open"}
        assert sessions == ["committed"] * 4

    @pytest.mark.parametrize("error", [RuntimeError("boom"), NotFound("gone"), NotAuthorizedException("who?")])
    async def test_an_exception_rolls_back(self, users: Recorder, error: Exception) -> None:
        @users.route("/x")
        async def fail(*, session: Session) -> None:
            raise error

        @users.route("/y")
        def fail_in_a_thread(*, session: Session) -> None:
            raise error

        async with serving(users) as client:
            assert (await client.get("/x")).status_code in (401, 404, 500)
            assert (await client.get("/y")).status_code in (401, 404, 500)
        assert sessions == ["rolled back"] * 2

    async def test_a_result_that_cannot_be_encoded_rolls_back(self, users: Recorder) -> None:
        @users.route("/x")
        async def fail(*, session: Session) -> Any:
            return object()

        async with serving(users) as client:
            problem_of(await client.get("/x"), 500)
        assert sessions == ["rolled back"]

    async def test_invalid_input_opens_nothing(self, users: Recorder) -> None:
        @users.route("/x")
        async def show(a: int, *, session: Session) -> None: ...

        async with serving(users) as client:
            problem_of(await client.get("/x?a=b"), 400)
        assert sessions == []


class TestThreads:
    async def test_a_def_handler_runs_in_a_thread(self, users: Recorder) -> None:
        @users.route("/x/<a>")
        def show(a: int, context: Context, *, repo: Repo) -> list[Any]:
            assert current_context.get() is context
            return [a, repo.find("u1").id, threading.current_thread() is threading.main_thread()]

        async with serving(users) as client:
            assert (await client.get("/x/3")).json() == [3, "u1", False]

    async def test_its_exceptions_are_answered(self, users: Recorder) -> None:
        @users.route("/x")
        def fail() -> None:
            raise Conflict("taken")

        async with serving(users) as client:
            assert problem_of(await client.get("/x"), 409)["detail"] == "taken"


class TestProblems:
    async def test_a_service_error(self, users: Recorder) -> None:
        @users.route("/users/<user_id>")
        async def show(user_id: str, *, repo: Repo) -> User:
            return repo.find(user_id)

        async with serving(users) as client:
            response = await client.get("/users/u9", headers={"x-request-id": "abc"})
        assert problem_of(response, 404) == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "User u9 not found",
            "code": "not_found",
            "details": {"user_id": "u9"},
            "request_id": "abc",
        }

    async def test_a_service_error_of_ones_own(self, users: Recorder) -> None:
        class Broke(ServiceError):
            """There is no money."""

            code = "broke"
            status = 402

        @users.route("/x")
        async def show() -> None:
            raise Broke(details={"unencodable": object, "odd": {1: complex(1)}})

        async with serving(users) as client:
            problem = problem_of(await client.get("/x"), 402)
        assert (problem["title"], problem["code"], problem["detail"]) == (
            "Payment Required",
            "broke",
            "There is no money.",
        )
        assert problem["details"]["odd"] == {"1": "(1+0j)"}

    async def test_details_that_cannot_be_sent_do_not_cost_the_answer(self, users: Recorder) -> None:
        @users.route("/x")
        async def show() -> None:
            raise Unavailable("down", details={"a": {object(): 1}})

        async with serving(users) as client:
            problem = problem_of(await client.get("/x"), 503)
        assert (problem["detail"], problem["details"]) == ("down", {})

    async def test_an_unknown_exception_is_logged_and_not_shown(
        self, users: Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        @users.route("/x")
        async def fail() -> None:
            raise RuntimeError("the password is 1234")

        async with serving(users, debug=True) as client:
            response = await client.get("/x")
        problem = problem_of(response, 500)
        assert problem["code"] == "internal"
        assert "1234" not in response.text
        assert "Traceback" not in response.text
        (record,) = caplog.records
        line = cast("dict[str, Any]", record.msg)
        assert line["event"] == "handler failed"
        assert line["handler"] == "route GET /x"
        assert line["request_id"] == problem["request_id"]
        assert line["where"].startswith("tests/transports/test_http.py:")
        assert "the password is 1234" in caplog.text

    async def test_an_unknown_exception_outside_of_a_handler(
        self, users: Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        @get("/plain")
        async def plain() -> None:
            raise RuntimeError("secret")

        async with serving(users, route_handlers=[plain]) as client:
            problem = problem_of(await client.get("/plain"), 500)
        assert problem["request_id"] in problem["detail"]
        line = cast("dict[str, Any]", caplog.records[0].msg)
        assert (line["event"], line["path"], line["request_id"]) == ("request failed", "/plain", problem["request_id"])

    async def test_a_timeout(self, users: Recorder) -> None:
        @users.route("/x")
        async def show() -> None:
            async with asyncio.timeout(0):
                await asyncio.sleep(1)

        async with serving(users) as client:
            problem = problem_of(await client.get("/x"), 504)
        assert (problem["code"], problem["detail"]) == ("timeout", "GET /x took too long")

    async def test_litestars_exceptions_with_their_headers(self, users: Recorder) -> None:
        @users.route("/401")
        async def unauthorized() -> None:
            raise NotAuthorizedException("who are you?", headers={"WWW-Authenticate": "Bearer"})

        @users.route("/429")
        async def too_many() -> None:
            raise TooManyRequestsException("slowly", headers={"Retry-After": "3"}, extra={"limit": 5})

        @users.route("/404")
        async def missing() -> None:
            raise NotFoundException("there is no such user")

        @users.route("/499")
        async def odd() -> None:
            raise HTTPException("odd", status_code=418, extra=["a"])

        async with serving(users) as client:
            response = await client.get("/401")
            problem = problem_of(response, 401)
            assert (problem["code"], problem["detail"]) == ("unauthorized", "who are you?")
            assert response.headers["www-authenticate"] == "Bearer"
            response = await client.get("/429")
            problem = problem_of(response, 429)
            assert (problem["code"], problem["details"]) == ("too_many_requests", {"limit": 5})
            assert response.headers["retry-after"] == "3"
            assert problem_of(await client.get("/404"), 404)["detail"] == "there is no such user"
            problem = problem_of(await client.get("/499"), 418)
            assert (problem["code"], problem["details"]) == ("i'm_a_teapot", {"extra": ["a"]})

    async def test_litestars_own_500_is_not_shown(self, users: Recorder, caplog: pytest.LogCaptureFixture) -> None:
        @users.route("/x")
        async def show() -> None:
            raise HTTPException("secret")

        async with serving(users) as client:
            response = await client.get("/x")
        assert problem_of(response, 500)["code"] == "internal"
        assert "secret" not in response.text
        assert "secret" in caplog.text

    async def test_no_such_path(self, users: Recorder) -> None:
        async with serving(users) as client:
            problem = problem_of(await client.get("/nope?a=b"), 404)
        assert (problem["code"], problem["detail"]) == ("not_found", "There is no GET /nope")

    async def test_no_such_method(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def show() -> None: ...

        async with serving(users) as client:
            response = await client.get("/x")
            head = await client.head("/x")
        problem = problem_of(response, 405)
        assert problem["code"] == "method_not_allowed"
        assert problem["detail"].startswith("GET is not allowed on /x, only ")
        assert set(response.headers["allow"].split(", ")) == {"POST", "OPTIONS"}
        assert (head.status_code, head.content) == (405, b"")

    @pytest.mark.parametrize(
        ("sent", "detail", "path"),
        [
            ({"id": "u", "email": "nope"}, "expected `str` matching regex '.+@.+'", "$.email"),
            ({"id": "u"}, "object missing required field `email`", "$"),
            ({"id": "u", "email": "a@b", "tags": [1, "x"]}, "expected `int`, got `str`", "$.tags[1]"),
            ([], "expected `object`, got `array`", "$"),
            (None, "expected `object`, got `null`", "$"),
        ],
    )
    async def test_an_invalid_body(self, users: Recorder, sent: object, detail: str, path: str) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: User) -> None: ...

        async with serving(users) as client:
            problem = problem_of(await client.post("/x", content=json.dumps(sent)), 400)
        assert problem["code"] == "bad_request"
        assert problem["detail"] == f"Invalid value at `{path}` in the body: {detail}"
        (error,) = problem["details"]["errors"]
        assert (error["in"], error["path"]) == ("body", path)

    async def test_an_invalid_item_of_a_list(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: Annotated[list[User], msgspec.Meta(max_length=2)]) -> None: ...

        good = {"id": "u", "email": "a@b"}
        async with serving(users) as client:
            problem = problem_of(await client.post("/x", json=[good, {"id": 1}]), 400)
            assert problem["detail"] == "Invalid value at `$[1].id` in the body: expected `str`, got `int`"
            problem = problem_of(await client.post("/x", json=[good] * 3), 400)
            assert problem["detail"] == "Invalid value at `$` in the body: expected `array` of length <= 2"

    async def test_invalid_parameters_are_all_told(self, users: Recorder) -> None:
        @users.route("/<a>", methods=["POST"])
        async def show(a: int, b: Annotated[int, msgspec.Meta(ge=1)], c: UUID | None, data: User) -> None: ...

        async with serving(users) as client:
            problem = problem_of(await client.post("/x?b=0&c=y", json={"id": 1}), 400)
        assert problem["details"]["errors"] == [
            {"in": "path", "path": "a", "problem": "Expected `int`, got `str`"},
            {"in": "query", "path": "b", "problem": "Expected `int` >= 1"},
            {"in": "query", "path": "c", "problem": "Invalid UUID"},
            {"in": "body", "path": "$.id", "problem": "Expected `str`, got `int`"},
        ]
        assert problem["detail"].startswith("Invalid path parameter `a`: expected `int`, got `str`; Invalid query")

    async def test_bounds_of_an_optional_parameter(self, users: Recorder) -> None:
        @users.route("/x")
        async def show(
            n: Annotated[int, msgspec.Meta(ge=1)] | None = None,
            tags: Annotated[list[str] | None, msgspec.Meta(max_length=1)] = None,
            word: Annotated[str, msgspec.Meta(min_length=2, pattern="^a")] = "ab",
        ) -> str:
            return "fine"

        async with serving(users) as client:
            assert (await client.get("/x?n=1&tags=a&word=abc")).text == "fine"
            for query in ("n=0", "tags=a&tags=b", "word=a", "word=bb"):
                problem_of(await client.get(f"/x?{query}"), 400)

    async def test_an_alias_is_named_as_the_client_knows_it(self, users: Recorder) -> None:
        @users.route("/x")
        async def show(size: Annotated[int, QueryParameter(name="page-size")]) -> None: ...

        async with serving(users) as client:
            problem = problem_of(await client.get("/x?page-size=a"), 400)
        assert problem["detail"] == "Invalid query parameter `page-size`: expected `int`, got `str`"

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            (b"{nope", "The body cannot be decoded: JSON is malformed: object keys must be strings (byte 1)"),
            (b'{"id": "u"', "The body cannot be decoded: Input data was truncated"),
            (b'"\xff"', "The request cannot be decoded: it is nested too deeply, or is not UTF-8"),
            (b"[" * 100_000, "The request cannot be decoded: it is nested too deeply, or is not UTF-8"),
            (b"", "The body is missing"),
        ],
    )
    async def test_a_body_that_is_no_json(
        self, users: Recorder, body: bytes, detail: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: User) -> None: ...

        async with serving(users) as client:
            assert problem_of(await client.post("/x", content=body), 400)["detail"] == detail
        assert caplog.records == []

    async def test_a_handler_that_recurses_is_no_bad_request(self, users: Recorder) -> None:
        @users.route("/x")
        async def show() -> None:
            raise RecursionError("of my own")

        async with serving(users) as client:
            problem_of(await client.get("/x"), 500)

    async def test_a_body_that_is_too_large(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(body: bytes) -> int:
            return len(body)

        @users.route("/large", methods=["POST"], request_max_body_size=4_000_000)
        async def save_more(body: bytes) -> int:
            return len(body)

        async def chunks() -> AsyncGenerator[bytes]:
            for _ in range(20):
                yield b"x" * 100_000

        async with serving(users) as client:
            for _ in range(3):
                problem = problem_of(await client.post("/x", content=b"x" * 2_000_000), 413)
                assert problem["code"] == "too_large"
                assert "1048576 bytes" in problem["detail"]
            problem_of(await client.post("/x", content=chunks()), 413)
            # Each of them was answered in full: the connection goes on.
            assert (await client.post("/x", content=b"x" * 1_048_576)).json() == 1_048_576
            assert (await client.post("/large", content=b"x" * 2_000_000)).json() == 2_000_000

    async def test_the_limit_of_the_app(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: str) -> None: ...

        async with serving(users, max_body_size=10) as client:
            assert (await client.post("/x", json="12345678")).status_code == 204
            problem_of(await client.post("/x", json="123456789"), 413)


class TestExceptionHandlers:
    async def test_those_of_the_app(self, users: Recorder) -> None:
        class Special(Exception):
            pass

        @users.route("/<what>")
        async def fail(what: str) -> None:
            raise {"special": Special(), "value": ValueError(), "missing": NotFound(), "quick": TooManyRequests()}[what]

        def answer(_: AnyRequest, error: Exception) -> Response[str]:
            return Response(type(error).__name__, status_code=418)

        handlers = {Special: answer, 404: answer, TooManyRequests: answer}
        async with serving(users, exception_handlers=handlers) as client:
            assert (await client.get("/special")).text == "Special"
            assert (await client.get("/a/b/c")).text == "NotFoundException"
            assert (await client.get("/quick")).text == "TooManyRequests"
            problem_of(await client.get("/missing"), 404)
            problem_of(await client.get("/value"), 500)

    @pytest.mark.parametrize("key", [500, Exception])
    async def test_one_for_everything_unknown(self, users: Recorder, key: Any) -> None:
        @users.route("/x")
        async def fail() -> None:
            raise ValueError

        @users.route("/y")
        async def missing() -> None:
            raise NotFound("gone")

        def answer(_: AnyRequest, error: Exception) -> Response[str]:
            return Response("mine", status_code=500)

        async with serving(users, exception_handlers={key: answer}) as client:
            assert (await client.get("/x")).text == "mine"
            problem_of(await client.get("/y"), 404)

    @pytest.mark.parametrize("key", [500, ValueError, Exception])
    async def test_those_of_a_route(self, users: Recorder, key: Any) -> None:
        def answer(_: AnyRequest, error: Exception) -> Response[str]:
            return Response("mine", status_code=500)

        @users.route("/x", exception_handlers={key: answer})
        async def fail() -> None:
            raise ValueError

        @users.route("/y")
        async def other() -> None:
            raise ValueError

        async with serving(users) as client:
            assert (await client.get("/x")).text == "mine"
            problem_of(await client.get("/y"), 500)


class TestRequestId:
    async def test_a_new_one_for_each_request(self, users: Recorder) -> None:
        @users.route("/x")
        async def show(context: Context) -> str:
            return context.request_id

        async with serving(users) as client:
            responses = [await client.get("/x") for _ in range(3)]
        assert [response.text for response in responses] == [r.headers["x-request-id"] for r in responses]
        assert len({response.text for response in responses}) == 3

    @pytest.mark.parametrize("bad", ["with space", "ü", "x" * 129, ""])
    async def test_one_that_cannot_be_taken_over(self, users: Recorder, bad: str) -> None:
        async with serving(users) as client:
            response = await client.get("/x", headers={b"x-request-id": bad.encode()})
        assert len(response.headers["x-request-id"]) == 32

    async def test_one_that_the_handler_sets_stays(self, users: Recorder) -> None:
        @users.route("/x")
        async def show() -> Response[None]:
            return Response(None, headers={"X-Request-ID": "mine"})

        async with serving(users) as client:
            assert (await client.get("/x")).headers.get_list("x-request-id") == ["mine"]


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
        class Marking(AbstractMiddleware):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                scope["state"]["mark"] = "marked"
                await self.app(scope, receive, send)

        @users.route("/x")
        async def show(request: AnyRequest) -> str:
            return cast("str", request.state.mark)

        async with serving(users, middleware=[Marking]) as client:
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
        async with serving(users, **litestar) as client:
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
        assert reading["operationId"] == "get_user"
        assert (reading["summary"], reading["description"]) == ("One user.", "With all that is known.")
        (parameter,) = reading["parameters"]
        assert (parameter["name"], parameter["in"], parameter["schema"]["minLength"]) == ("user_id", "path", 2)
        assert list(reading["responses"]["400"]["content"]) == ["application/problem+json"]
        writing = document["paths"]["/users"]["post"]
        assert (writing["operationId"], writing["summary"], writing["tags"]) == ("create_user", "Make one", ["writing"])
        assert list(writing["responses"]) == ["201", "400"]
        assert writing["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("User")

    async def test_operation_ids_are_unique(self, users: Recorder) -> None:
        def record(path: str, **options: Any) -> None:
            @users.route(path, **options)
            async def index() -> None: ...

        record("/a", methods=["GET", "POST"])
        record("/b")
        record("/c/d")
        document = await self.document(users)
        ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
        assert sorted(ids) == ["users_index_get_a", "users_index_get_b", "users_index_get_c_d", "users_index_post"]

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

    async def test_it_can_be_turned_off(self, users: Recorder) -> None:
        async with serving(users, openapi_config=None) as client:
            problem_of(await client.get("/schema"), 404)


class TestMistakes:
    def refused(self, users: Recorder, **litestar: Any) -> str:
        with pytest.raises(WiringError) as refused:
            build(users, DaebusHttp(**litestar))
        return str(refused.value)

    def test_an_unknown_option_of_a_route(self, users: Recorder) -> None:
        @users.route("/x", guard=[])
        async def show() -> None: ...

        @users.route("/y", colour="red")
        async def other() -> None: ...

        text = self.refused(users)
        assert "route GET /x\n    a route has no option 'guard'\n    -> did you mean 'guards'?" in text
        assert "a route has no option 'colour'\n    -> put values of your own into opt={...}" in text
        assert text.startswith("2 wiring mistakes:")

    @pytest.mark.parametrize("name", ["http_method", "sync_to_thread"])
    def test_an_option_that_the_route_sets_itself(self, users: Recorder, name: str) -> None:
        @users.route("/x", **{name: "POST"})
        async def show() -> None: ...

        assert f"a route has no option {name!r}" in self.refused(users)

    def test_an_unknown_option_of_the_app(self, users: Recorder) -> None:
        with pytest.raises(
            ConfigurationError, match="no option 'cors', and Litestar has none: did you mean 'cors_config'"
        ):
            build(users, DaebusHttp(cors=None))
        with pytest.raises(ConfigurationError, match="see the arguments of litestar.Litestar"):
            build(users, DaebusHttp(zzz=None))

    def test_options_that_litestar_refuses(self, users: Recorder) -> None:
        with pytest.raises(ConfigurationError, match=r"Litestar refuses what DaebusHttp\(\.\.\.\) passes to it"):
            build(users, DaebusHttp(route_handlers=["no handler"]))

    def test_a_route_that_litestar_refuses_is_named(self, users: Recorder) -> None:
        @users.route("/x", status_code=204)
        async def show() -> str:
            return ""

        text = self.refused(users)
        assert "route GET /x\n    Litestar refuses it: A status code 204" in text
        assert f"test_http.py:{show.__code__.co_firstlineno}" in text

    def test_paths_that_collide(self, users: Recorder) -> None:
        @users.route("/x/<a>")
        async def one(a: str) -> None: ...

        @users.route("/x/<b>/", methods=["POST", "GET"])
        async def two(b: str) -> None: ...

        text = self.refused(users)
        assert text.startswith("1 wiring mistake:")
        assert f"GET /x/<a>, at tests/transports/test_http.py:{one.__code__.co_firstlineno}, is the same" in text

    def test_a_result_without_a_json_form(self, users: Recorder) -> None:
        class Opaque:
            pass

        class Holder(msgspec.Struct):
            inside: list[Opaque]

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
            Annotated[int, msgspec.Meta(ge=1, tz=True)],
        ],
    )
    def test_bounds_that_litestar_would_drop(self, users: Recorder, annotation: object) -> None:
        def show(a: object) -> None: ...

        show.__annotations__["a"] = annotation
        users.route("/x")(show)
        assert "Litestar does not check" in self.refused(users)


class TestSettings:
    @pytest.mark.parametrize("port", [-1, 65536])
    def test_ports_that_cannot_be(self, port: int) -> None:
        for component in (DaebusHttp, DaebusWebSocket):
            with pytest.raises(ConfigurationError, match=rf"{component.__name__}\(port={port}\): a port is a number"):
                component(port=port)

    def test_sizes_that_cannot_be(self) -> None:
        with pytest.raises(ConfigurationError, match=r"DaebusHttp\(max_body_size=0\)"):
            DaebusHttp(max_body_size=0)
        with pytest.raises(ConfigurationError, match=r"DaebusWebSocket\(max_message_size=0\)"):
            DaebusWebSocket(max_message_size=0)

    def test_a_websocket_path_that_cannot_be(self) -> None:
        with pytest.raises(ConfigurationError, match="a path begins with a slash"):
            DaebusWebSocket("ws")


def test_the_settings_load_neither_litestar_nor_granian() -> None:
    code = (
        "import sys, daebus.transports.edge, daebus.transports.server\n"
        "sys.exit(' '.join(name for name in ('litestar', 'granian') if name in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
