from __future__ import annotations

import functools
import inspect
import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import cast

import pytest

from daebus.mistakes.places import CallSite, Place, call_site, place_of, place_of_class
from daebus.mistakes.sources import Span, line_at, span_of_call, span_of_function

Handler = Callable[..., object]


def pointed(where: str | None) -> list[str]:
    """The text that a place points at, line by line; empty where it points at nothing."""
    span = where.span() if isinstance(where, Place) else None
    if span is None:
        return []
    lines = [line_at(span.path, number) for number in range(span.line, span.end_line + 1)]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return lines


def _same(function: Handler) -> Handler:
    return function


def define(path: Path, source: str) -> dict[str, object]:
    """Run the source as a file."""
    path.write_text(source)
    linecache.checkcache(str(path))
    names: dict[str, object] = {"same": _same, "use": str, "call_site": call_site}
    exec(compile(source, str(path), "exec"), names)
    return names


@pytest.fixture
def handler(tmp_path: Path) -> Callable[[str], Handler]:
    def make(source: str) -> Handler:
        return cast("Handler", define(tmp_path / "handlers.py", f"from __future__ import annotations\n{source}")["f"])

    return make


@pytest.mark.parametrize(
    ("source", "part", "text"),
    [
        ("def f(query: User, *, repo: Repo = 3) -> User: ...", None, ["f"]),
        ("def f(query: User, *, repo: Repo = 3) -> User: ...", "query", ["query: User"]),
        ("def f(query: User, *, repo: Repo = 3) -> User: ...", "repo", ["repo: Repo"]),
        ("def f(query: User, *, repo: Repo = use(3)) -> User: ...", "repo", ["repo: Repo = use(3)"]),
        ("def f(query: User, *, repo: Repo = 3) -> User: ...", "return", ["User"]),
        ("def f(query): ...", "query", ["query"]),
        ("def f(query): ...", "return", ["f"]),
        ("def f(query): ...", "missing", ["f"]),
        ("async  def   f (a, /, b, *args: int, c, **rest) -> None: ...", None, ["f"]),
        ("async def f(a, /, b, *args: int, c, **rest) -> None: ...", "a", ["a"]),
        ("async def f(a, /, b=use(1), *args: int, c, **rest) -> None: ...", "b", ["b=use(1)"]),
        ("async def f(a, /, b, *args: int, c, **rest) -> None: ...", "args", ["args: int"]),
        ("async def f(a, /, b, *args: int, c, **rest) -> None: ...", "rest", ["rest"]),
        (
            "def f(\n    query: User,\n    *,\n    repo: dict[\n        str, int\n    ],\n): ...",
            "query",
            ["query: User"],
        ),
        ("def f(*, repo: dict[\n    str, int\n]): ...", "repo", ["repo: dict[", "    str, int", "]"]),
        ("def f(ä: str, *, größe: int): ...", "größe", ["größe: int"]),
        ("if True:\n\tdef f(\n\t\tquery: User): ...", "query", ["query: User"]),
        ("f = lambda query: query", "query", ["lambda query: query"]),
        ("class C:\n    def f(self, query: User): ...\nf = C.f", "query", ["query: User"]),
        ("class C:\n    def f(self, query: User): ...\nf = C().f", "query", ["query: User"]),
    ],
)
def test_a_part_of_a_function_is_found(
    handler: Callable[[str], Handler], source: str, part: str | None, text: list[str]
) -> None:
    assert pointed(place_of(handler(source), part)) == text


def test_columns_count_from_one_in_characters(handler: Callable[[str], Handler]) -> None:
    where = place_of(handler("def f(ä: str, *, größe: int): ..."), "größe")
    assert isinstance(where, Place)
    assert where.span() == Span(where.path, 2, 18, 2, 28, 2)


def test_a_parameter_below_the_first_line_knows_where_its_function_begins(handler: Callable[[str], Handler]) -> None:
    where = place_of(handler("@same\ndef f(\n    a,\n    b,\n): ..."), "b")
    assert isinstance(where, Place)
    span = where.span()
    assert span is not None
    assert (where.line, span.opening, span.line) == (2, 3, 5)


def test_the_function_below_decorators_is_found() -> None:
    def decorated(function: Handler) -> Handler:
        @functools.wraps(function)
        def wrapper(*args: object) -> object:
            return function(*args)

        return wrapper

    @decorated
    @decorated
    def inner(query: str) -> None: ...

    assert pointed(place_of(inner, "query")) == ["query: str"]
    assert pointed(place_of(functools.partial(inner), None)) == ["inner"]


def test_of_two_functions_with_one_name_the_right_one_is_found(tmp_path: Path) -> None:
    names = define(tmp_path / "twice.py", "def f(a: int): ...\nfirst = f\ndef f(b: int): ...\n")
    assert pointed(place_of(cast("Handler", names["first"]), "a")) == ["a: int"]
    assert pointed(place_of(cast("Handler", names["f"]), "b")) == ["b: int"]


@pytest.mark.parametrize("changed", ["", "def f(", "\0", "def f(other): ...", "\ndef f(query): ...", "x = 1\n" * 5000])
def test_a_file_that_has_changed_since_is_not_pointed_at(tmp_path: Path, changed: str) -> None:
    path = tmp_path / "changing.py"
    function = cast("Handler", define(path, "def f(query): ...")["f"])
    path.write_text(changed)
    linecache.checkcache(str(path))
    where = place_of(function, "query")
    assert where.endswith("changing.py:1")
    assert pointed(where) == []


def test_without_a_file_nothing_is_pointed_at() -> None:
    names: dict[str, object] = {}
    exec("def f(query): ...\nclass C: a = 1", names)
    assert place_of(cast("Handler", names["f"]), "query") == "<string>:1"
    assert pointed(place_of(cast("Handler", names["f"]), "query")) == []
    assert pointed(place_of(len, "query")) == []
    assert pointed(place_of_class(cast("type", names["C"]), "a")) == []


def test_the_call_that_runs_is_found(tmp_path: Path) -> None:
    source = (
        "def made(*args):\n    return call_site()\nfirst = (1, made(2, 'ä'), 3)\nsecond = made(\n    1,\n    2,\n)\n"
    )
    names = define(tmp_path / "calls.py", source)
    site = cast("tuple[int, CallSite, int]", names["first"])[1]
    assert pointed(site.place) == ["call_site()"]
    assert site.place.endswith("calls.py:2")

    def ask(*_: object) -> CallSite:
        frame = cast("FrameType", cast("FrameType", inspect.currentframe()).f_back)
        return CallSite(frame.f_code, frame.f_lasti, frame.f_lineno)

    assert pointed((1, ask(2, "ä"), 3)[1].place) == ['ask(2, "ä")']
    several = ask(
        1,
        2,
    )
    assert pointed(several.place) == ["ask(", "        1,", "        2,", "    )"]


def test_of_a_call_whose_columns_are_not_known_the_line_is_shown(tmp_path: Path) -> None:
    (tmp_path / "asked.py").write_text(
        "import sys\nfrom daebus.mistakes.places import call_site\nclass C:\n    x = 1,  call_site()\n"
        "print(C.x[1].place.span()[1:5])\n"
    )
    command = [sys.executable, "-X", "no_debug_ranges", str(tmp_path / "asked.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "(4, 5, 4, 24)\n"
    code = test_of_a_call_whose_columns_are_not_known_the_line_is_shown.__code__
    here = span_of_call(code, 10**6, code.co_firstlineno)
    assert here is not None
    assert line_at(here.path, here.line)[here.column - 1 :].startswith("def test_of_a_call_whose")


class Owner:
    plain = 3
    annotated: int = 4
    several = max(
        1,
        2,
    )

    class Inner:
        plain = 5

    def method(self) -> type:
        class Local:
            plain = 6

        return Local


def test_the_attribute_of_a_class_is_found() -> None:
    assert pointed(place_of_class(Owner, "plain")) == ["plain = 3"]
    assert pointed(place_of_class(Owner, "annotated")) == ["annotated: int = 4"]
    assert pointed(place_of_class(Owner, "several")) == ["several = max(", "        1,", "        2,", "    )"]
    assert pointed(place_of_class(Owner.Inner, "plain")) == ["plain = 5"]
    assert pointed(place_of_class(Owner().method(), "plain")) == ["plain = 6"]


def test_of_a_class_without_that_attribute_its_own_line_is_found() -> None:
    assert pointed(place_of_class(Owner)) == ["class Owner:"]
    assert pointed(place_of_class(Owner, "missing")) == ["class Owner:"]
    assert pointed(place_of_class(int, "real")) == []
    assert place_of_class(int) == "builtins"


def test_a_function_that_is_gone_from_its_file_is_not_found() -> None:
    def gone() -> None: ...

    code = gone.__code__.replace(co_firstlineno=1)
    assert span_of_function(code, None) is None
