"""Each wrong program has the errors that it marks, on their lines and with their codes, and no others."""

from __future__ import annotations

import pytest
from tests.mypy.conftest import Results
from tests.mypy.project import HERE, Project, expectations

WRONG = sorted(path.name.removesuffix(".py.txt") for path in (HERE / "wrong").glob("*.py.txt"))
RIGHT = sorted(path.name.removesuffix(".py.txt") for path in (HERE / "right").glob("*.py.txt"))


@pytest.mark.parametrize("name", WRONG)
def test_every_mistake_is_found(results: Results, name: str) -> None:
    expected = expectations((HERE / "wrong" / f"{name}.py.txt").read_text())
    found = results.get(f"wrong_{name}", [])
    assert [(error.line, error.code) for error in found] == [(error.line, error.code) for error in expected]
    for mark in expected:
        assert any(mark.fits(error) for error in found), (mark, [e.text for e in found if e.line == mark.line])


@pytest.mark.parametrize("name", ["shop", *(f"right_{name}" for name in RIGHT)])
def test_right_programs_have_no_errors(results: Results, name: str) -> None:
    assert results.get(name, []) == []


def test_a_warm_cache_says_the_same(project: Project, results: Results) -> None:
    assert project.check() == results


def test_with_the_library_from_the_cache_it_finds_the_same(project: Project, results: Results) -> None:
    for path in project.folder.glob("*.py"):
        path.write_text(path.read_text() + "\n# Changed.\n")
    assert project.check() == results
