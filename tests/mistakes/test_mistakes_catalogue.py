"""Each wrong program is told of as it says, by whom it says, and nowhere else; nobody tells anything of a right one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.editing.checks import checking
from tests.mistakes.catalogue import CASES, CHECKERS, HOLDOUT, Case, Checker, all_cases, compare, write_cases
from tests.mistakes.checkers import By, Run, run_all
from tests.mistakes.starting import check_runtime

ALL = all_cases()
HELD_OUT = all_cases(HOLDOUT)
BY_NAME = {f"{case.group}/{case.name}": case for case in ALL}
# A contract may be of a service that another one imitates; a built-in function has no annotations.
UNTOLD = {"function_instead_of_its_result", "one_name_with_two_types"}
WITH_HELD_OUT = {f"{case.group}/{case.name}": case for case in [*ALL, *HELD_OUT]}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    write_cases([*ALL, *HELD_OUT], folder)
    shutil.copy(CASES / "accounts.py", folder)
    return folder


@pytest.fixture(scope="module")
def checked(programs: Path) -> Mapping[Checker, By]:
    """What each type checker says of all programs in its strict mode, in one run of each."""
    # basedpyright stands for pyright, whose every word on errors is its own: ``nox -s typecheck`` compares the two.
    told = run_all(Run(programs), ("mypy", "basedpyright", "ty", "pyrefly", "zuban"))
    told["pyright"] = told.pop("basedpyright")
    return told


@pytest.mark.parametrize("name", WITH_HELD_OUT)
def test_the_type_checkers_tell_exactly_what_is_wrong(checked: Mapping[Checker, By], name: str) -> None:
    case = WITH_HELD_OUT[name]
    for checker, told in checked.items():
        expected = [mark for mark in case.expected if mark.stage == checker]
        assert compare(expected, told.get(case.module("wrong"), [])) == [], checker
        assert compare([], told.get(case.module("right"), [])) == [], checker


@pytest.mark.parametrize("name", BY_NAME)
async def test_registration_or_the_start_tells_exactly_what_is_wrong(programs: Path, name: str) -> None:
    case = BY_NAME[name]
    stage, told = await check_runtime(programs / f"{case.module('wrong')}.py")
    assert compare([mark for mark in case.expected if mark.stage in ("registration", "start-up")], told) == []
    assert not told or {stage} == case.stages() - set(CHECKERS)
    _, told = await check_runtime(programs / f"{case.module('right')}.py")
    assert compare([], told) == []


def test_what_the_programs_share_is_right(checked: Mapping[Checker, By]) -> None:
    assert [said for told in checked.values() for said in told.get("accounts", [])] == []


def test_no_mistake_waits_for_a_message() -> None:
    assert len(ALL) >= 60
    assert [case.name for case in ALL if not case.stages()] == []


def test_the_type_checkers_tell_most_of_them() -> None:
    told = Counter(stage for case in ALL for stage in case.stages())
    assert told["mypy"] >= 0.8 * len(ALL)
    assert told["pyright"] >= 0.55 * len(ALL)


def test_the_check_tells_those_that_were_held_out_with_their_places(programs: Path) -> None:
    with checking(programs) as checker:
        for case in HELD_OUT:
            expected = [mark for mark in case.expected if mark.stage in ("registration", "start-up")]
            if not expected:
                continue
            problems = checker.check(f"{case.module('wrong')}.py", {}).problems
            assert [problem.line for problem in problems] == [mark.line for mark in expected], case.name
            assert all(problem.end_column is not None for problem in problems), case.name


def test_most_of_those_that_were_held_out_are_told() -> None:
    told = Counter(stage for case in HELD_OUT for stage in case.stages())
    assert told["mypy"] >= 0.94 * len(HELD_OUT)
    assert told["pyright"] >= 0.5 * len(HELD_OUT)
    declared = [case for case in HELD_OUT if case.group != "calls"]
    assert {case.name for case in declared if not case.stages() & {"registration", "start-up"}} == UNTOLD


def test_a_case_has_two_programs_of_the_same_lines() -> None:
    def lines(case: Case) -> tuple[int, int]:
        return case.wrong.count("\n"), case.right.count("\n")

    assert all(case.wrong != case.right and len(set(lines(case))) == 1 for case in ALL)
    assert all(case.title.endswith((".", "`.")) for case in ALL)
