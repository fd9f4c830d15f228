from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from types import FrameType
from typing import cast

import pytest

import daebus
from daebus.mistakes.places import caller_frame, caller_namespace, caller_place, place_of, show_path, unwrap


def here() -> int:
    return cast("FrameType", cast("FrameType", inspect.currentframe()).f_back).f_lineno


def decorated(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def wrapper(*args: object) -> object:
        return function(*args)

    return wrapper


def call_from(path: Path, source: str) -> object:
    """Run the code as if it stood in a file."""
    names: dict[str, object] = {
        "caller_place": caller_place,
        "caller_namespace": caller_namespace,
        "caller_frame": caller_frame,
    }
    exec(compile(source, str(path), "exec"), names)
    return names["result"]


def test_a_path_below_the_current_folder_is_shown_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert show_path(str(tmp_path / "app" / "users.py")) == str(Path("app", "users.py"))


def test_a_path_elsewhere_is_shown_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert show_path(str(tmp_path / "users.py")) == str(tmp_path / "users.py")


def test_a_path_is_shown_whole_where_the_current_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert show_path("/app/users.py") == "/app/users.py"


def test_the_caller_is_the_line_that_asks() -> None:
    assert caller_place() == f"{show_path(__file__)}:{here()}"


def test_frames_of_daebus_itself_are_passed_over() -> None:
    inside = Path(daebus.__file__).parent / "core" / "anything.py"
    place = call_from(inside, "def ask(): return caller_place()\nresult = ask")
    assert cast("Callable[[], str]", place)() == f"{show_path(__file__)}:{here()}"


def test_a_package_whose_name_begins_like_daebus_is_not_daebus() -> None:
    beside = Path(daebus.__file__).parent.parent / "daebus_shop" / "app.py"
    assert call_from(beside, "\n\nresult = caller_place()") == f"{show_path(str(beside))}:3"


def test_at_the_level_of_a_module_there_is_no_namespace(tmp_path: Path) -> None:
    assert call_from(tmp_path / "app.py", "result = caller_namespace()") is None


def test_inside_of_a_function_its_local_names_are_the_namespace(tmp_path: Path) -> None:
    source = "def define():\n    local = 3\n    return dict(caller_namespace())\nresult = define()"
    assert call_from(tmp_path / "app.py", source) == {"local": 3}


def test_inside_of_a_class_its_names_are_the_namespace() -> None:
    class Group:
        local = 3
        namespace: Mapping[str, object] | None = caller_namespace()

    assert Group.namespace is not None
    assert Group.namespace["local"] == 3


def test_the_place_of_a_function_is_its_first_line_with_decorators() -> None:
    line = here() + 1

    @decorated
    def handler() -> None: ...

    assert place_of(handler) == f"{show_path(__file__)}:{line + 1}"


def test_the_place_of_a_partial_is_that_of_its_function() -> None:
    assert place_of(functools.partial(here)) == place_of(here)
    assert place_of(here).startswith(f"{show_path(__file__)}:")


def test_the_place_of_a_function_without_source_is_its_module() -> None:
    assert place_of(len) == "builtins"


def test_unwrapping_finds_the_function_below_decorators_partials_and_methods() -> None:
    class Database:
        @contextlib.contextmanager
        def session(self) -> Generator[int]:
            yield 1

    session = functools.partial(Database().session)
    found = unwrap(session)
    assert inspect.isgeneratorfunction(found)
    assert found.__name__ == "session"


def test_unwrapping_leaves_a_plain_function_and_a_class_as_they_are() -> None:
    assert unwrap(here) is here
    assert unwrap(Path) is Path


def test_unwrapping_ends_at_an_object_that_answers_every_attribute() -> None:
    class Obliging:
        def __getattr__(self, name: str) -> Obliging:
            return Obliging()

        def __call__(self) -> None: ...

    obliging = Obliging()
    assert unwrap(obliging) is obliging
