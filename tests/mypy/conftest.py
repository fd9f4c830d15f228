"""One run of mypy over all programs, whose result and cache all tests share, in whichever process they run."""

from __future__ import annotations

import fcntl
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
from tests.mypy.project import HERE, Found, Project

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
def results(project: Project, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "mypy-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told, filled = shared / "mypy-results.json", shared / "mypy-filled-cache"
        if not told.exists():
            found = project.check()
            shutil.copytree(cache, filled)
            told.write_bytes(msgspec.json.encode(found))
            return found
    shutil.copytree(filled, cache, dirs_exist_ok=True)
    return msgspec.json.decode(told.read_bytes(), type=Results)
