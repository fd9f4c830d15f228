"""One run of mypy over all programs, whose cache the other tests share."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.typing.plugin.project import HERE, Found, Project

collect_ignore_glob = [] if find_spec("mypy") else ["test_*.py"]

Results = dict[str, list[Found]]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy-cache")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    """The project with all programs."""
    project = Project(tmp_path_factory.mktemp("programs"), cache)
    project.add("shop")
    for path in HERE.glob("*/*.py.txt"):
        name = f"{path.parent.name}/{path.name.removesuffix('.py.txt')}"
        target = project.add(name)
        target.rename(target.with_stem(f"{path.parent.name}_{target.stem}"))
    return project


@pytest.fixture(scope="session")
def results(project: Project) -> Results:
    return project.check()
