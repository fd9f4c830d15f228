from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
import pytest
from litestar import Request
from litestar.constants import RESERVED_KWARGS
from litestar.datastructures import Headers, State
from litestar.di import NamedDependency
from litestar.enums import HttpMethod
from litestar.params import FromQuery, PathParameter, QueryParams, RawBody, RequestCookies
from litestar.types import HTTPScope, Scope
from tests.support import recorded

from daebus.core.context import Context
from daebus.declare.paths import METHODS, RESERVED, litestar_path, path_parameters, path_shape
from daebus.declare.recorder import Recorder
from daebus.declare.specs import RouteSpec
from daebus.http.checks import check_route

AnyRequest = Request[Any, Any, Any]
UserId = NewType("UserId", str)


class Color(Enum):
    RED = "red"


class User(msgspec.Struct):
    id: str


class Point:
    pass


class OwnRequest(Request[Any, Any, Any]):
    pass


def record(path: str, function: Callable[..., object], **options: Any) -> RouteSpec:
    recorder = Recorder("users")
    recorder.route(path, **options)(function)
    (spec,) = recorded(recorder)
    assert isinstance(spec, RouteSpec)
    return spec


def problems(path: str, function: Callable[..., object], **options: Any) -> list[str]:
    spec = record(path, function, **options)
    return [
        f"{one.where}: {one.code}: {one.message} -> {one.remedy}" for one in check_route(spec, spec.read_signature())
    ]


def problem(path: str, function: Callable[..., object], **options: Any) -> str:
    (only,) = problems(path, function, **options)
    return only


def taking(name: str, annotation: object) -> Callable[..., object]:
    """A handler with one parameter, whose annotation is known only here."""

    made = unannotated(name)
    made.__annotations__ = {name: annotation, "return": str}
    return made


def unannotated(parameters: str) -> Callable[..., object]:
    namespace: dict[str, Any] = {}
    exec(f"async def handler({parameters}): ...", namespace)
    made: Callable[..., object] = namespace["handler"]
    return made


async def nothing() -> str:
    return ""


async def one(user_id: str) -> str:
    return user_id


class TestTemplates:
    def test_names_are_read_in_order(self) -> None:
        assert path_parameters("/users/<user_id>/posts/<post_id>") == ("user_id", "post_id")
        assert path_parameters("/") == ()

    def test_paths_that_collide_have_one_shape(self) -> None:
        assert path_shape("/users/<a>") == path_shape("/users/<b>/") == path_shape("//users/<c>") == "/users/<>"
        assert path_shape("/users/me") != path_shape("/users/<me>")
        assert path_shape("/") == "/"

    def test_a_parameter_is_a_string_to_the_router(self) -> None:
        async def handler(user_id: int, day: date) -> str:
            return ""

        spec = record("/users/<user_id>/<day>/all", handler)
        assert litestar_path(spec.path, spec.read_signature()) == "/users/{user_id:str}/{day:str}/all"

    def test_a_file_takes_the_rest_of_the_url(self) -> None:
        async def handler(user_id: str, file: Annotated[Path, "a comment"]) -> str:
            return ""

        spec = record("/files/<user_id>/<file>", handler)
        assert litestar_path(spec.path, spec.read_signature()) == "/files/{user_id:str}/{file:path}"

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("users", "does not begin with a slash"),
            ("/users/{user_id}", "write <user_id>, and annotate it: user_id: str"),
            ("/users/{user_id:int}", "write <user_id>, and annotate it: user_id: int"),
            ("/users/<int:user_id>", "write <user_id>, and annotate it: user_id: int"),
            ("/users/<user_id", "'<user_id' is not a path parameter"),
            ("/users/user_id>", "is not a path parameter"),
            ("/users/<user id>", "contains ' '"),
            ("/users/<user-id>", "is not a path parameter"),
            ("/users/<>", "is not a path parameter"),
            ("/users/<user_id>.json", "write <name> between two slashes"),
            ("/users?page=<page>", "contains '?'"),
            ("/users/<user_id>/<user_id>", "has <user_id> twice"),
        ],
    )
    def test_a_malformed_template_is_refused(self, path: str, says: str) -> None:
        assert says in problem(path, one)

    def test_a_problem_names_the_place_of_the_handler(self) -> None:
        assert problem("users", one).startswith(f"tests/declare/test_paths.py:{one.__code__.co_firstlineno}: malformed")

    def test_good_templates_pass(self) -> None:
        assert problems("/users/<user_id>", one) == []
        assert problems("/", nothing) == []
        assert problems("/a-b/c.d/~e/f_g", nothing) == []

    def test_no_litestar_is_loaded(self) -> None:
        code = "import sys, daebus.declare.paths, daebus.asgi.settings; sys.exit('litestar' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestNames:
    def test_a_name_without_a_parameter_gets_the_closest(self) -> None:
        async def handler(user: str) -> str:
            return ""

        assert "did you mean <user>?" in problem("/users/<usr>", handler)

    def test_a_name_like_none_of_the_parameters(self) -> None:
        assert "add `user_id: str` left of the *" in problem("/users/<user_id>", nothing)

    def test_a_name_right_of_the_star(self) -> None:
        async def handler(*, user_id: str) -> str:
            return ""

        assert "move 'user_id' left of the *" in problem("/users/<user_id>", handler)

    def test_a_parameter_may_have_another_name_on_the_wire(self) -> None:
        async def handler(who: Annotated[str, PathParameter(name="user_id")]) -> str:
            return ""

        assert problems("/users/<user_id>", handler) == []


class TestTypes:
    @pytest.mark.parametrize(
        "annotation",
        [
            str, int, float, bool, UUID, Decimal, date, datetime, time, timedelta, Color, Literal["a"], UserId, Any,
            int | str, Annotated[int, msgspec.Meta(ge=1)], str | None, Annotated[UserId, "a comment"], Path,
        ],
    )  # fmt: skip
    def test_what_can_stand_in_a_path(self, annotation: object) -> None:
        assert problems("/users/<user_id>", taking("user_id", annotation)) == []

    @pytest.mark.parametrize("annotation", [list[str], dict[str, str], User, Point, int | User, bytes])
    def test_what_cannot(self, annotation: object) -> None:
        found = problem("/users/<user_id>", taking("user_id", annotation))
        assert "cannot be part of a path" in found
        assert "annotate it as str, int" in found

    def test_a_type_with_a_decoder_of_its_own_can(self) -> None:
        assert problems("/points/<point>", taking("point", Point), type_decoders=[]) == []

    def test_a_file_must_stand_last(self) -> None:
        assert "put it last" in problem("/<file>/raw", taking("file", Path))

    def test_an_annotation_is_needed(self) -> None:
        handler = unannotated("user_id")
        handler.__annotations__ = {"return": str}
        assert "it has no annotation" in problem("/users/<user_id>", handler)

    def test_a_return_type_is_needed(self) -> None:
        assert "-> None for 204" in problem("/users", unannotated(""))

    def test_positional_only_parameters_cannot_be_filled(self) -> None:
        async def handler(user_id: str, /) -> str:
            return ""

        assert "remove the /" in problem("/users/<user_id>", handler)


class TestReservedNames:
    def test_they_are_litestars(self) -> None:
        assert RESERVED == RESERVED_KWARGS

    @pytest.mark.parametrize(
        ("name", "annotation"),
        [
            ("request", AnyRequest),
            ("request", Request),
            ("request", OwnRequest),
            ("headers", dict[str, str]),
            ("headers", Headers),
            ("headers", User),
            ("cookies", dict[str, str]),
            ("cookies", RequestCookies),
            ("query", dict[str, Any]),
            ("query", QueryParams),
            ("state", State),
            ("scope", Scope),
            ("scope", HTTPScope),
            ("scope", dict[str, Any]),
            ("body", bytes),
            ("body", RawBody),
            ("request", Context),
        ],
    )
    def test_litestars_meaning_is_kept(self, name: str, annotation: object) -> None:
        assert problems("/users", taking(name, annotation), methods=["POST"]) == []

    @pytest.mark.parametrize(
        ("name", "annotation", "remedy"),
        [
            ("query", str, "rename it, for example query_: Annotated[str, QueryParameter(name='query')]"),
            ("headers", str, "write headers: dict[str, str]"),
            ("cookies", list[str], "write cookies: dict[str, str]"),
            ("request", User, "write request: litestar.Request"),
            ("request", State, "write request: litestar.Request"),
            ("state", str, "write state: litestar.datastructures.State"),
            ("state", AnyRequest, "write state: litestar.datastructures.State"),
            ("scope", str, "write scope: litestar.types.Scope"),
            ("body", User, "write body: bytes"),
            ("body", str, "write body: bytes"),
            ("socket", str, "rename it, for example socket_"),
        ],
    )
    def test_another_meaning_is_refused(self, name: str, annotation: object, remedy: str) -> None:
        found = problem("/users", taking(name, annotation), methods=["POST"])
        assert f"{name!r} has a special meaning in Litestar" in found
        assert remedy in found

    def test_they_cannot_be_path_parameters(self) -> None:
        assert "rename it, here and in the path" in problem("/users/<state>", taking("state", str))

    def test_a_get_request_has_no_data(self) -> None:
        async def handler(data: User) -> str:
            return ""

        assert "a GET request has no body" in problem("/users", handler)
        assert "a GET request has no body" in problem("/users", handler, methods=["GET", "POST"])
        assert problems("/users", handler, methods=["POST", "DELETE"]) == []

    def test_other_parameters_are_litestars_business(self) -> None:
        async def handler(
            page: FromQuery[int], point: NamedDependency[Point], context: Context, q: str | None = None
        ) -> str:
            return ""

        assert problems("/users", handler) == []


class TestMethods:
    def test_they_are_those_that_litestar_routes(self) -> None:
        assert set(METHODS) == {method.value for method in HttpMethod}

    def test_an_unknown_method_gets_the_closest(self) -> None:
        assert "did you mean 'DELETE'?" in problem("/users", nothing, methods=["delte"])
        assert "use one of DELETE, GET" in problem("/users", nothing, methods=["SUBSCRIBE"])

    def test_a_route_without_methods(self) -> None:
        assert "it has no methods" in problem("/users", nothing, methods=[])

    def test_all_problems_are_told_at_once(self) -> None:
        async def handler(user: str, query: str) -> None: ...

        assert len(problems("/users/<usr>", handler, methods=["GTE"])) == 3
