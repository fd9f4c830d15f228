from __future__ import annotations

import io
import linecache
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from daebus.errors import ConfigurationError, WiringError, render
from daebus.mistakes.places import place_of
from daebus.mistakes.problem import CODES, WiringProblem
from daebus.mistakes.render import Note, wants_colour

Handler = Callable[..., object]

SOURCE = """\
@users.action("get_user")
async def get_user(query: GetUser, *, rebo: UserRepo) -> User: ...


@users.action("put_user")
async def put_user(
    query: PutUser,
    *,
    \trepo: UserRepo,
    größe: "ユーザー",
    last: int,
) -> User: ...
"""


class Users:
    """Stands for a blueprint."""

    def action(self, _: str) -> Callable[[Handler], Handler]:
        return lambda function: function


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Handler]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users.py").write_text(SOURCE)
    linecache.checkcache(str(tmp_path / "users.py"))
    names: dict[str, object] = {"users": Users()}
    exec(compile(SOURCE, str(tmp_path / "users.py"), "exec"), names)  # with annotations as text, as here
    return cast("dict[str, Handler]", names)


def about(function: Handler, part: str, *notes: Note) -> WiringProblem:
    where = place_of(function, part)
    return WiringProblem(where, f"f({part})", "it is wrong", "correct it", code="wrong-type", notes=notes)


def test_the_line_is_shown_with_a_caret_under_the_parameter(handlers: dict[str, Handler]) -> None:
    problem = WiringProblem(
        place_of(handlers["get_user"], "rebo"),
        "get_user(rebo: UserRepo)",
        "Container has no provider 'rebo'",
        "did you mean 'repo'?",
        code="unknown-service",
        notes=[Note("Container has repo: UserRepo")],
    )
    assert str(problem) == (
        "error[unknown-service]: get_user(rebo: UserRepo): Container has no provider 'rebo'\n"
        " --> users.py:2:39\n"
        "  |\n"
        "2 | async def get_user(query: GetUser, *, rebo: UserRepo) -> User: ...\n"
        "  |                                       ^^^^^^^^^^^^^^\n"
        "  |\n"
        "  = note: Container has repo: UserRepo\n"
        "  = help: did you mean 'repo'?"
    )


def test_of_a_signature_in_several_lines_the_first_and_that_of_the_parameter_are_shown(
    handlers: dict[str, Handler],
) -> None:
    shown = str(about(handlers["put_user"], "last")).splitlines()
    assert shown[1:7] == [
        "  --> users.py:11:5",
        "   |",
        " 6 | async def put_user(",
        "   | ...",
        "11 |     last: int,",
        "   |     ^^^^^^^^^",
    ]
    assert str(about(handlers["put_user"], "query")).splitlines()[3:6] == [
        "6 | async def put_user(",
        "7 |     query: PutUser,",
        "  |     ^^^^^^^^^^^^^^",
    ]


def test_the_caret_stands_under_wide_characters_and_behind_tabs(handlers: dict[str, Handler]) -> None:
    wide = str(about(handlers["put_user"], "größe")).splitlines()
    assert wide[-4:-2] == ['10 |     größe: "ユーザー",', "   |     ^^^^^^^^^^^^^^^^^"]
    tabbed = str(about(handlers["put_user"], "repo")).splitlines()
    assert tabbed[-4:-2] == ["9 |     \trepo: UserRepo,", "  |     \t^^^^^^^^^^^^^^"]


def test_a_note_with_a_place_is_shown_there(handlers: dict[str, Handler]) -> None:
    note = Note("it says so", place_of(handlers["put_user"], "last"))
    assert str(about(handlers["get_user"], "query", note, Note("and more"))).splitlines()[1:] == [
        "  --> users.py:2:20",
        "   |",
        " 2 | async def get_user(query: GetUser, *, rebo: UserRepo) -> User: ...",
        "   |                    ^^^^^^^^^^^^^^",
        "  ::: users.py:11:5",
        "   |",
        " 6 | async def put_user(",
        "   | ...",
        "11 |     last: int,",
        "   |     --------- it says so",
        "   |",
        "   = note: and more",
        "   = help: correct it",
    ]


def test_without_source_the_place_is_named() -> None:
    problem = WiringProblem("app.py:3", "f", "it is wrong", "correct it", notes=[Note("see", "other.py:4")])
    assert str(problem) == (
        "error[wiring]: f: it is wrong\n --> app.py:3\n  = note: see (other.py:4)\n  = help: correct it"
    )
    assert "--> builtins\n" in str(about(len, "obj"))


def test_a_long_list_is_broken_between_its_items() -> None:
    names = ", ".join(f"name_{number}: Some Type" for number in range(20))
    problem = WiringProblem("app.py:3", "f", "it is wrong", "correct it", notes=[Note(f"it has {names}")])
    lines = str(problem).splitlines()[2:-1]
    assert len(lines) > 3
    assert all(len(line) <= 110 for line in lines)
    assert all(line.endswith("Type,") for line in lines[:-1])
    assert all(line.startswith("          name_") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == f"= note: it has {names}"


def test_colours_are_only_added(handlers: dict[str, Handler]) -> None:
    note = Note("it says so", place_of(handlers["put_user"], "last"))
    error = WiringError(about(handlers["get_user"], "rebo", note), about(len, "obj", Note("a")))
    coloured = render(error, colour=True)
    assert "\x1b[1;31m^^^^^^^^^^^^^^\x1b[0m" in coloured
    assert "\x1b" not in str(error)
    assert re.sub(r"\x1b\[[\d;]+m", "", coloured) == str(error) == render(error)
    assert render(ConfigurationError("no"), colour=True) == "no"


def test_only_a_terminal_is_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not wants_colour(io.StringIO())
    ours, theirs = os.openpty()
    try:
        with open(theirs, "w", closefd=False) as terminal:
            assert wants_colour(terminal)
            monkeypatch.setenv("TERM", "dumb")
            assert not wants_colour(terminal)
            monkeypatch.setenv("TERM", "xterm")
            monkeypatch.setenv("NO_COLOR", "1")
            assert not wants_colour(terminal)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_problem_is_data(handlers: dict[str, Handler]) -> None:
    problem = about(handlers["put_user"], "last")
    span = problem.span
    assert span is not None
    assert (problem.where, problem.file, problem.line) == ("users.py:5", "users.py", 11)
    assert (span.line, span.column, span.end_line, span.end_column) == (11, 5, 11, 14)
    assert (problem.code, problem.message) == ("wrong-type", "f(last): it is wrong")
    elsewhere = WiringProblem("app.py:3", "f", "it is wrong", "correct it")
    assert (elsewhere.file, elsewhere.line, elsewhere.span) == ("app.py", 3, None)
    nowhere = about(len, "obj")
    assert (nowhere.file, nowhere.line, nowhere.span) == ("builtins", None, None)


def test_every_kind_of_mistake_has_a_word_of_its_own() -> None:
    assert len(CODES) == len(set(CODES)) > 50
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in CODES)


def test_a_place_survives_as_text(handlers: dict[str, Handler]) -> None:
    where = place_of(handlers["get_user"], "rebo")
    assert pickle.loads(pickle.dumps(where)) == where == "users.py:1"
    assert type(pickle.loads(pickle.dumps(where))) is str
