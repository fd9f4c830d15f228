from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec
import pytest

from daebus.declare.signatures import MISSING, Signature, read_signature
from daebus.errors import WiringError, WiringProblem
from daebus.mistakes.places import Place, show_path
from daebus.mistakes.show_type import show_type
from daebus.mistakes.sources import line_at

if TYPE_CHECKING:
    from decimal import Decimal

Name = Annotated[str, msgspec.Meta(min_length=1)]


class User(msgspec.Struct):
    id: str


def refusal(function: Callable[..., object]) -> WiringProblem:
    with pytest.raises(WiringError) as caught:
        read_signature(function)
    (problem,) = caught.value.problems
    code = inspect.unwrap(function).__code__
    assert problem.where == f"{show_path(__file__)}:{code.co_firstlineno}"
    return problem


def shown(signature: Signature) -> tuple[list[str], list[str]]:
    return [str(parameter) for parameter in signature.left], [str(parameter) for parameter in signature.right]


def test_the_star_parts_the_message_from_the_services() -> None:
    def handler(query: User, limit: int = 3, /, *, repo: dict[str, int], flag: bool = True) -> None: ...

    signature = read_signature(handler)
    assert shown(signature) == (["query: User", "limit: int"], ["repo: dict[str, int]", "flag: bool"])
    assert [parameter.default for parameter in (*signature.left, *signature.right)] == [MISSING, 3, MISSING, True]


def test_annotations_that_are_text_are_resolved() -> None:
    def handler(query: "User", *, names: "list[Name]") -> "User | None": ...  # noqa: UP037

    signature = read_signature(handler)
    assert signature.left[0].annotation is User
    assert signature.right[0].annotation == list[Name]
    assert signature.returns == User | None


def test_the_metadata_of_annotations_is_kept() -> None:
    def handler(name: Name) -> None: ...

    assert read_signature(handler).left[0].annotation == Name


def test_a_missing_annotation_is_told_apart_from_none() -> None:
    def bare(query, *, repo):  # type: ignore[no-untyped-def]
        ...

    def silent() -> None: ...

    signature = read_signature(cast("Callable[..., object]", bare))
    assert [signature.left[0].annotation, signature.right[0].annotation, signature.returns] == [MISSING] * 3
    assert str(signature.left[0]) == "query"
    assert read_signature(silent).returns is NoneType


def test_a_function_runs_off_the_event_loop_a_coroutine_function_on_it() -> None:
    def blocking() -> None: ...
    async def awaiting() -> None: ...
    async def streaming() -> AsyncIterator[int]:
        yield 1

    kinds = [(read.is_async, read.streams) for read in map(read_signature, (blocking, awaiting, streaming))]
    assert kinds == [(False, False), (True, False), (True, True)]


def test_a_stream_returns_the_type_of_its_items() -> None:
    async def iterator() -> AsyncIterator[User]:
        yield User("1")

    async def generator() -> AsyncGenerator[User, None]:
        yield User("1")

    async def iterable() -> AsyncIterable[User]:
        yield User("1")

    assert [read_signature(kind).returns for kind in (iterator, generator, iterable)] == [User] * 3


def test_a_stream_without_a_type_of_items_returns_nothing_known() -> None:
    async def anything() -> Any:
        yield 1

    assert read_signature(anything).returns is MISSING


def test_local_names_resolve_in_the_namespace_of_where_the_handler_is_defined() -> None:
    class Local(msgspec.Struct):
        id: str

    def handler(query: Local) -> list[Local]:
        return [query]

    signature = read_signature(handler, locals())
    assert signature.left[0].annotation is Local
    assert signature.returns == list[Local]


def test_a_name_that_only_type_checkers_know_is_refused() -> None:
    def handler(price: Decimal) -> None: ...

    problem = refusal(handler)
    assert problem.subject == "handler(price: Decimal)"
    assert problem.found.startswith("'Decimal' is imported only for type checkers")
    assert problem.remedy == "move the import out of `if TYPE_CHECKING:`"
    (note,) = problem.notes
    assert isinstance(note.where, Place)
    assert (span := note.where.span()) is not None
    assert "import Decimal" in line_at(span.path, span.line)


def test_all_the_names_that_do_not_exist_are_told_with_the_closest() -> None:
    def handler(query: object, other: object) -> None: ...

    handler.__annotations__.update(query="Usr", other="Nowhere")
    handler.__annotations__["return"] = "Usre"

    with pytest.raises(WiringError) as caught:
        read_signature(handler)
    assert [(problem.subject, problem.remedy) for problem in caught.value.problems] == [
        ("handler(query: Usr)", "did you mean 'User'?"),
        ("handler(other: Nowhere)", "import it, or define it, in the handler's module"),
        ("handler -> Usre", "did you mean 'User'?"),
    ]


@pytest.mark.parametrize("annotation", ["User.missing", "1 +", "User | 3"])
def test_an_annotation_that_makes_no_sense_is_refused(annotation: str) -> None:
    def handler(query: object) -> None: ...

    handler.__annotations__["query"] = annotation
    assert refusal(handler).found.startswith("the annotation cannot be resolved: ")


def test_parameters_that_nothing_can_fill_are_refused() -> None:
    def positional(*args: int) -> None: ...
    def keyword(query: User, **options: int) -> None: ...

    assert refusal(positional).subject == "positional(*args: 'int')"
    problem = refusal(keyword)
    assert problem.subject == "keyword(**options: 'int')"
    assert problem.found == "neither the message nor the container can fill it"


def test_a_decorated_handler_is_read_through_its_decorator() -> None:
    def logged(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def wrapper(*args: object, **kwargs: object) -> object:
            return function(*args, **kwargs)

        return wrapper

    @logged
    def handler(query: User, *, repo: int) -> User:
        return query

    signature = read_signature(handler)
    assert shown(signature) == (["query: User"], ["repo: int"])
    assert (signature.name, signature.returns) == ("handler", User)


def test_a_bound_method_is_a_handler_without_its_self() -> None:
    class Users:
        def get(self, query: User) -> User:
            return query

    assert shown(read_signature(Users().get)) == (["query: User"], [])


def test_a_problem_names_the_handler_its_place_and_the_parameter() -> None:
    def handler(query: User) -> None: ...

    signature = read_signature(handler)
    about_parameter = signature.problem(signature.left[0], "it is wrong", "correct it")
    about_all = signature.problem(None, "it is wrong", "correct it")
    assert (about_parameter.subject, about_all.subject) == ("handler(query: User)", "handler")
    assert about_all.where == f"{show_path(__file__)}:{handler.__code__.co_firstlineno}"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (NoneType, "None"),
        (User, "User"),
        (list[int], "list[int]"),
        (int | None, "int | None"),
        (Literal["a"], "Literal['a']"),
        (Any, "Any"),
    ],
)
def test_a_type_is_shown_as_it_is_written(annotation: object, text: str) -> None:
    assert show_type(annotation) == text
