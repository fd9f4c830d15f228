"""What depends on a container is checked again when the container changes, whoever imports what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.mypy.project import Project

FINDER = """
class Finder:
    def find(self) -> int:
        return 0
"""
FOUND = """
from finder import Finder

class Found(Finder):
    pass
"""
CONTAINER = """
from dependency_injector import providers
from daebus import ServiceContainer
from found import Found

class Container(ServiceContainer):
    finder = providers.Singleton(Found)
"""
BLUEPRINT = """
from daebus import Blueprint
from container import Container

users = Blueprint("users", services=Container)
"""
# It imports neither the container nor what the container provides.
HANDLERS = """
from blueprint import users
from finder import Finder

@users.on_start()
async def start(*, finder: Finder) -> None: ...

def define() -> None:
    @users.on_stop()
    async def stop(*, finder: Finder) -> None: ...
"""
LINES = (6, 10)

Check = Callable[[], str]


@pytest.fixture
def changing(tmp_path: Path, cache: Path) -> Project:
    project = Project(tmp_path, cache)
    sources = {"finder": FINDER, "found": FOUND, "container": CONTAINER, "blueprint": BLUEPRINT, "handlers": HANDLERS}
    for name, source in sources.items():
        project.add(name, source)
    return project


@pytest.fixture(params=["mypy", "dmypy"])
def check(request: pytest.FixtureRequest, changing: Project, results: object) -> Iterator[Check]:
    """Run the checker, with a cache, and in a process that goes on living. Returns the errors."""
    del results  # fills the cache
    if request.param == "mypy":
        yield lambda: "\n".join(
            f"{name}.py:{error.line}: {error.text}  [{error.code}]"
            for name, errors in changing.check().items()
            for error in errors
        )
        return
    changing.check()
    changing.daemon("start", "--", "--config-file", "our_stubs.ini", "--use-fine-grained-cache")
    try:
        yield lambda: changing.daemon("check", ".")
    finally:
        changing.daemon("stop")


def test_a_change_in_another_module_is_seen(changing: Project, check: Check) -> None:
    def errors_say(text: str) -> bool:
        errors = [line for line in check().splitlines() if line.startswith("handlers.py")]
        lines = tuple(int(line.split(":")[1]) for line in errors)
        return lines == (LINES if text else ()) and all(text in line for line in errors)

    assert errors_say("")
    changing.add("container", CONTAINER.replace("finder =", "findr ="))
    assert errors_say('Container has no provider "finder"; it has findr')
    changing.add("container", CONTAINER)
    assert errors_say("")
    changing.add("found", FOUND.replace("(Finder)", ""))
    assert errors_say('the provider "finder" of Container gives Found, not Finder')
    changing.add("found", FOUND)
    assert errors_say("")
    changing.add("container", CONTAINER.replace("class Container(ServiceContainer)", "class Base(ServiceContainer)"))
    changing.add("blueprint", BLUEPRINT.replace("import Container", "import Base as Container"))
    assert errors_say("")
