"""The plugin with the stubs of dependency-injector itself, where it fails, and where mypy is not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from mypy.options import Options
from tests.mypy.conftest import Results
from tests.mypy.project import Project

from daebus import BlockingBus, BlockingClients, BlockingRooms, Bus, Clients, Rooms
from daebus.mypy.hooks import DaebusPlugin
from daebus.mypy.services import TWINS


def test_it_finds_the_same_with_the_stubs_that_dependency_injector_ships(
    project: Project, results: Results, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    own = Project(project.folder, tmp_path / "cache", stubs=False)
    # A member of a nested container that does not exist is a type error with our stubs.
    assert lines_of(own.check()) == lines_of(results)


def lines_of(results: Results) -> dict[str, list[int]]:
    return {program: sorted(found.line for found in all_found) for program, all_found in results.items()}


def test_a_mistake_of_the_plugin_does_not_stop_mypy() -> None:
    def fail() -> str:
        raise RuntimeError("nobody thought of this")

    assert DaebusPlugin(Options()).guarded(fail, "what it would have said without") == "what it would have said without"


def test_the_twins_are_those_of_the_classes() -> None:
    classes = (Bus, Clients, Rooms, BlockingBus, BlockingClients, BlockingRooms)
    assert {f"{kind.__module__}.{kind.__qualname__}": kind.__twin__ for kind in classes} == TWINS


def test_daebus_itself_does_without_mypy() -> None:
    code = "import daebus.cli, daebus.testing, sys; print([name for name in sys.modules if name.startswith('mypy')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_the_plugin_loads_none_of_the_libraries_that_a_service_needs() -> None:
    code = "import daebus.mypy, sys; print({'redis', 'dependency_injector', 'litestar', 'granian'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
