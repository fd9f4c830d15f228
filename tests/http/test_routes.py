from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from litestar import Response
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
from tests.http.web import AnyRequest, Lazy, Repo, Session, User, build, problem_of, serving, sessions

from daebus.core.context import Context, current_context
from daebus.declare.recorder import Recorder
from daebus.declare.specs import Method
from daebus.errors import (
    Conflict,
    NotFound,
)


@pytest.fixture(autouse=True)
def no_sessions() -> None:
    sessions.clear()


@pytest.fixture
def users() -> Recorder:
    return Recorder("users")


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
        assert problem["detail"] == "The query parameter `query` is missing, expected `str`"

    async def test_a_body(self, users: Recorder) -> None:
        @users.route("/users", methods=["POST"], status_code=201)
        async def create(data: User, *, repo: Repo) -> User:
            repo.users[data.id] = data
            return repo.find(data.id)

        async with serving(users) as client:
            response = await client.post("/users", json={"id": "u2", "email": "b@example.org", "tags": [1]})
        assert response.status_code == 201
        assert response.json() == {"id": "u2", "email": "b@example.org", "tags": [1]}

    async def test_a_body_is_as_strict_as_a_message_of_the_bus(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: User) -> None: ...

        async with serving(users) as client:
            sent = {"id": "u", "email": "a@b", "tags": ["1"]}
            problem = problem_of(await client.post("/x", json=sent), 400)
        assert problem["detail"] == "Invalid value at `$.tags[0]` in the body: expected `int`, got `str`"
        assert problem["details"]["errors"][0]["in"] == "body"

    async def test_a_body_of_another_type_is_refused(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: dict[str, int]) -> int:
            return data["a"]

        async with serving(users) as client:

            async def post(kind: str) -> httpx.Response:
                return await client.post("/x", content=b'{"a": 1}', headers={"content-type": kind})

            for kind in ("application/json", "application/json; charset=utf-8", "Application/vnd.api+JSON"):
                assert (await post(kind)).json() == 1
            problem = problem_of(await client.post("/x", content=b'{"a": 1}'), 415)
            assert problem["detail"].endswith("with the header Content-Type: application/json, not without it")
            for kind in ("application/x-www-form-urlencoded", "text/plain", "text/plain;a/json", "application/jsonp"):
                problem = problem_of(await post(kind), 415)
                assert (problem["code"], kind in problem["detail"]) == ("unsupported_media_type", True)

    async def test_a_body_of_another_type_is_refused_where_litestar_reads_the_arguments(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: dict[str, int], headers: dict[str, str]) -> str:
            return f"{data['a']} {headers['x-b']}"

        @users.route("/form", methods=["POST"])
        async def fill(
            data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)], headers: dict[str, str]
        ) -> str:
            return f"{data['a']} {headers['x-b']}"

        async with serving(users) as client:
            for kind in ("application/json", "Application/vnd.api+JSON"):
                answer = await client.post("/x", content=b'{"a": 1}', headers={"content-type": kind, "x-b": "b"})
                assert answer.text == "1 b"
            for kind in ("application/x-www-form-urlencoded", "text/plain"):
                sent = {"content-type": kind, "x-b": "b"}
                problem = problem_of(await client.post("/x", content=b'{"a": 1}', headers=sent), 415)
                assert (problem["code"], kind in problem["detail"]) == ("unsupported_media_type", True)
            problem_of(await client.post("/x", content=b'{"a": 1}', headers={"x-b": "b"}), 415)
            assert (await client.post("/form", data={"a": "1"}, headers={"x-b": "b"})).text == "1 b"

    async def test_whoever_reads_the_body_again_gets_it(self, users: Recorder) -> None:
        def answer(request: AnyRequest, error: Exception) -> Response[Any]:
            return Response(str(error), status_code=409)

        @users.route("/x", methods=["POST"], exception_handlers={KeyError: answer})
        async def save(data: list[int], request: AnyRequest) -> list[Any]:
            if not data:
                raise KeyError(await request.json())
            return [data, await request.json(), (await request.body()).decode()]

        async with serving(users) as client:
            assert (await client.post("/x", json=[1])).json() == [[1], [1], "[1]"]
            assert (await client.post("/x", json=[])).status_code == 409

    @pytest.mark.parametrize("result", [None, 0, [], False, {}])
    async def test_hooks_before_the_handler(self, users: Recorder, result: object) -> None:
        calls: list[str] = []

        async def look(request: AnyRequest) -> dict[str, str] | None:
            calls.append("hook")
            return {"from": "the hook"} if "early" in request.query_params else None

        def seen(response: Response[Any]) -> Response[Any]:
            calls.append(repr(response.content))
            return response

        @users.route("/plain")
        async def plain() -> Any:
            calls.append("plain")
            return result

        @users.route("/hooked", before_request=look, after_request=seen)
        async def hooked(size: int = 1) -> Any:
            calls.append("hooked")
            return result

        async with serving(users, before_request=look) as client:
            for path in ("plain", "hooked"):
                calls.clear()
                assert (await client.get(f"/{path}?size=3")).json() == result
                assert calls[:2] == ["hook", path]
                assert calls[2:] == ([] if path == "plain" else [repr(result)])
                assert (await client.get(f"/{path}?early=1")).json() == {"from": "the hook"}

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
            return [request.method, headers["x-a"], cookies, query, body.decode(), scope["path"], state.dict()]

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
        assert problem["detail"] == "The header `X-Agent` is missing, expected `str`"

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
    async def test_every_method_answers_200(self, users: Recorder, method: Method) -> None:
        @users.route("/x", methods=[method])
        async def show() -> dict[str, int]:
            return {"a": 1}

        async with serving(users) as client:
            response = await client.request(method, "/x")
        assert (response.status_code, response.json()) == (200, {"a": 1})

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_nothing_is_204(self, users: Recorder, method: Method) -> None:
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
        @users.route("/x", methods=["GET", "POST"])
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
            for path in ("/asgi", "/file", "/redirect"):
                assert "x-request-id" in (await client.get(path)).headers

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
