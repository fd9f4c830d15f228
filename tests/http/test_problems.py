from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
import pytest
from litestar import Response, get
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    NotFoundException,
    TooManyRequestsException,
    ValidationException,
)
from litestar.middleware import ASGIMiddleware
from litestar.params import QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send
from tests.http.web import AnyRequest, Repo, Session, User, problem_of, serving, sessions

from daebus import HttpLimits
from daebus.core.context import Context
from daebus.declare.recorder import Recorder
from daebus.errors import (
    NotFound,
    ServiceError,
    TooLarge,
    TooManyRequests,
    Unavailable,
)

JSON = {"content-type": "application/json"}


@pytest.fixture
def users() -> Recorder:
    return Recorder("users")


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
            raise Unavailable("down", details={"a": "\ud800"})

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
        assert line["where"] == f"tests/http/test_problems.py:{fail.__code__.co_firstlineno}"
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

        @users.route("/400")
        async def invalid() -> None:
            raise ValidationException("not like this", extra=["a", 1])

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
            problem = problem_of(await client.get("/400"), 400)
            assert (problem["detail"], problem["details"]) == ("not like this", {"extra": ["a", 1]})
            problem = problem_of(await client.get("/499"), 418)
            assert (problem["code"], problem["details"]) == ("i_m_a_teapot", {"extra": ["a"]})

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
            ({"id": "u"}, "expected `str`", "$.email"),
            ({"id": "u", "email": "a@b", "tags": [1, "x"]}, "expected `int`, got `str`", "$.tags[1]"),
            ([], "expected `object`, got `array`", "$"),
            (None, "expected `object`, got `null`", "$"),
        ],
    )
    async def test_an_invalid_body(self, users: Recorder, sent: object, detail: str, path: str) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: User) -> None: ...

        async with serving(users) as client:
            problem = problem_of(await client.post("/x", content=json.dumps(sent), headers=JSON), 400)
        assert problem["code"] == "bad_request"
        word = "Missing" if path == "$.email" and detail == "expected `str`" else "Invalid"
        assert problem["detail"] == f"{word} value at `{path}` in the body: {detail}"
        (error,) = problem["details"]["errors"]
        assert (error["in"], error["path"]) == ("body", path)

    async def test_an_invalid_item_of_a_list(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: Annotated[list[User], msgspec.Meta(max_length=2)]) -> None: ...

        good = {"id": "u", "email": "a@b"}
        async with serving(users) as client:
            problem = problem_of(await client.post("/x", json=[good, {**good, "id": 1}]), 400)
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
            {"in": "body", "path": "$.email", "problem": "Missing, expected `str`"},
        ]
        assert problem["detail"] == "Invalid path parameter `a`: expected `int`, got `str`, and 4 more mistakes"

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
            (b'{"id": "\xff"}', "The request cannot be decoded: it is nested too deeply, or is not UTF-8"),
            (b'{"more": ' * 100_000, "The request cannot be decoded: it is nested too deeply, or is not UTF-8"),
            (b"[" * 100_000, "Invalid value at `$` in the body: expected `object`, got `array`"),
            (b"", "The body is missing, expected `object`"),
        ],
    )
    async def test_a_body_that_is_no_json(
        self, users: Recorder, body: bytes, detail: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: User) -> None: ...

        async with serving(users) as client:
            assert problem_of(await client.post("/x", content=body, headers=JSON), 400)["detail"] == detail
        assert caplog.records == []

    async def test_a_body_that_ends_too_early(self, users: Recorder, caplog: pytest.LogCaptureFixture) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: User) -> None: ...

        async with serving(users) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
            writer.write(b"POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"The body ended too early" in answer
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

    async def test_a_413_of_a_handler_that_has_its_body_comes_at_once(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: str) -> None:
            raise TooLarge(data)

        async with serving(users) as client:
            begun = time.monotonic()
            problem_of(await client.post("/x", json="x"), 413)
            assert time.monotonic() - begun < 4  # it used to wait 5 s for more of the body

    async def test_the_limit_of_the_app(self, users: Recorder) -> None:
        @users.route("/x", methods=["POST"])
        async def save(data: str) -> None: ...

        async with serving(users, limits=HttpLimits(max_body_size=10)) as client:
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


class TestWhatIsNotTheHandlersToRaise:
    @pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit, KeyboardInterrupt])
    @pytest.mark.parametrize("middleware", [False, True])
    async def test_it_is_a_failure_of_the_handler(
        self, users: Recorder, caplog: pytest.LogCaptureFixture, raised: type[BaseException], *, middleware: bool
    ) -> None:
        @users.route("/on-loop")
        async def on_loop() -> int:
            raise raised

        @users.route("/in-pool")
        def in_pool() -> int:
            raise raised

        @users.route("/session")
        async def with_session(*, session: Session) -> int:
            raise raised

        @users.route("/well")
        async def well() -> int:
            return 7

        class Around(ASGIMiddleware):
            async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
                await next_app(scope, receive, send)

        sessions.clear()
        options: dict[str, Any] = {"middleware": [Around()]} if middleware else {}
        async with serving(users, **options) as client:
            for path in ("/on-loop", "/in-pool", "/session"):
                problem = problem_of(await client.get(path), 500)
                assert problem["code"] == "internal"
                assert raised.__name__ not in str(problem)
            assert (await client.get("/well")).json() == 7
        assert sessions == ["rolled back"]
        assert caplog.text.count("handler failed") == 3
