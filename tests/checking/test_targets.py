"""From a target to the app: modules, files, factories, and what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from daebus.checking.targets import TargetError, load_target, target_file
from daebus.errors import StartupError, WiringError

Write = Callable[[str, str], Path]

APP = """
from daebus import Daebus
app = Daebus("found")
"""
FACTORY = """
from daebus import Daebus

def make_app() -> Daebus:
    return Daebus("made")

def make_one(name):
    return Daebus(name)

async def make_later():
    return Daebus("later")

def make_nothing():
    return None

def make_trouble():
    return {}["missing"]

number = 3
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Write]:
    """Writes files of a project that is the current folder; what was imported from it is forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield write_file
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) is None or str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.mark.parametrize("target", ["kiosk:app", "kiosk", "kiosk.py:app", "./kiosk.py", "kiosk.py"])
def test_module_or_file(write: Write, target: str) -> None:
    write("kiosk.py", APP)
    assert load_target(target).name == "found"


def test_module_in_a_package(write: Write) -> None:
    write("store/__init__.py", "")
    write("store/names.py", "NAME = 'packaged'")
    write("store/web.py", "from daebus import Daebus\nfrom .names import NAME\nservice = Daebus(NAME)\n")
    assert load_target("store.web:service").name == "packaged"


def test_file_imports_its_neighbours_and_the_current_folder(write: Write) -> None:
    write("elsewhere/neighbour_of_it.py", "NAME = 'neighbour'")
    write("in_current_folder.py", "SUFFIX = '!'")
    file = write(
        "elsewhere/main_file.py",
        "from daebus import Daebus\nimport in_current_folder, neighbour_of_it\n"
        "app = Daebus(neighbour_of_it.NAME + in_current_folder.SUFFIX)\n",
    )
    assert load_target(str(file)).name == "neighbour!"
    assert load_target("elsewhere/main_file.py:app") is load_target(str(file))


@pytest.mark.parametrize("name", ["json.py", "daebus.py", "my-app.py"])
def test_file_hides_no_module_by_its_name(write: Write, name: str) -> None:
    before = dict(sys.modules)
    file = write(name, APP)
    assert load_target(str(file)).name == "found"
    assert sys.modules["json"] is before["json"]
    assert sys.modules["daebus"] is before["daebus"]


def test_main_guard_is_not_run(write: Write) -> None:
    write("guarded.py", APP + "if __name__ == '__main__':\n    app.run(service='x')\n")
    assert load_target("guarded.py").name == "found"


def test_only_app_needs_no_name(write: Write) -> None:
    write("single.py", "from daebus import Daebus\nservice = same = Daebus('only')\n")
    assert load_target("single").name == "only"


def test_factory(write: Write) -> None:
    write("factory.py", FACTORY)
    assert load_target("factory:make_app").name == "made"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("", "has no module"),
        (":app", "has no module"),
        ("kioskk:app", "There is no module 'kioskk'; did you mean 'kiosk'?"),
        ("kiosk.web:app", "There is no module 'kiosk.web'; 'kiosk' is a single file, with no modules in it."),
        ("kiosk-1:app", "'kiosk-1' is not the name of a module"),
        ("kioskk.py:app", "There is no file kioskk.py; did you mean 'kiosk.py'?"),
        ("folder/kiosk.py:app", "There is no file folder/kiosk.py; the Python files in "),
        ("./:app", " is a folder; "),
        ("kiosk:ap", "kiosk has no 'ap'; did you mean 'app'?"),
        ("kiosk:server", "kiosk has no 'server'; its apps and functions: app."),
        ("factory:make_ap", "did you mean 'make_app'?"),
        ("factory", "factory has no app: write app = Daebus(...) in it"),
        ("factory:number", "factory:number is neither an app nor a function that makes one; its type is int."),
        ("factory:make_one", "missing a required argument: 'name'. It must not require arguments."),
        ("factory:make_later", "factory:make_later is `async def`"),
        ("factory:make_nothing", "factory:make_nothing() did not return an app, but an object of type None."),
        ("shelves", "did you mean shelves.app?"),
        ("shelves.ap:app", "There is no module 'shelves.ap'; did you mean 'shelves.app'?"),
        ("several", "several has several apps, one, two: choose one, as in several:one."),
    ],
)
def test_no_app(write: Write, target: str, said: str) -> None:
    write("kiosk.py", APP)
    write("factory.py", FACTORY)
    write("several.py", "from daebus import Daebus\none, two = Daebus('one'), Daebus('two')\n")
    write("shelves/__init__.py", "")
    write("shelves/app.py", APP)
    with pytest.raises(TargetError) as caught:
        load_target(target)
    assert said in str(caught.value)


def test_mistake_in_the_module_is_shown_from_the_users_line_on(write: Write) -> None:
    write("helper_of_it.py", "def divide(a, b):\n    return a / b\n")
    file = write("broken.py", "import helper_of_it\nhelper_of_it.divide(1, 0)\n")
    for target in ("broken", "broken.py", str(file)):
        with pytest.raises(StartupError) as caught:
            load_target(target)
        lines = str(caught.value).splitlines()
        assert lines[0].endswith("failed:")
        assert lines[1:3] == ["Traceback (most recent call last):", f'  File "{file}", line 2, in <module>']
        assert lines[-1] == "ZeroDivisionError: division by zero"
        assert "importlib" not in str(caught.value)


def test_missing_import_of_the_module_is_not_a_missing_module(write: Write) -> None:
    write("needy.py", "import a_module_that_is_nowhere\n")
    with pytest.raises(StartupError, match="ModuleNotFoundError: No module named 'a_module_that_is_nowhere'"):
        load_target("needy:app")


def test_syntax_error(write: Write) -> None:
    file = write("syntax.py", "def f(:\n")
    with pytest.raises(StartupError) as caught:
        load_target("syntax")
    assert str(caught.value).splitlines()[1] == f'  File "{file}", line 1'
    assert "SyntaxError" in str(caught.value)


def test_mistake_in_the_factory(write: Write) -> None:
    write("factory.py", FACTORY)
    with pytest.raises(StartupError, match=r"(?s)factory:make_trouble\(\) failed:.*KeyError: 'missing'"):
        load_target("factory:make_trouble")


def test_file_that_failed_can_be_loaded_again(write: Write) -> None:
    write("mended.py", "1 / 0")
    with pytest.raises(StartupError):
        load_target("mended.py")
    write("mended.py", APP + "# as long as no cache of bytecode takes it for the same\n")
    assert load_target("mended.py").name == "found"


def test_error_of_daebus_says_all_by_itself(write: Write) -> None:
    write("miswired.py", APP + "@app.action('x')\nasync def x(a: int, b: int) -> int: ...\napp.check('s')\n")
    with pytest.raises(WiringError) as caught:
        load_target("miswired")
    assert "miswired.py:5:21" in str(caught.value)


@pytest.mark.parametrize("call", ["app.run(service='x')", "app.run()"])
def test_run_without_a_guard(write: Write, call: str) -> None:
    write("eager.py", f"{APP}{call}\n")
    with pytest.raises(StartupError) as caught:
        load_target("eager")
    assert str(caught.value).startswith(
        "eager.py:4: app.run() is called while the module is imported. Put it under `if"
    )


def test_file_of_a_target(write: Write) -> None:
    file = write("kiosk.py", APP)
    assert target_file("kiosk.py:app") == file.resolve()
    assert target_file("kiosk:app") is None


def test_a_file_in_a_package_is_imported_as_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "bakery" / "ovens"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "names.py").write_text("NAME = 'bakery'\n")
    (package / "app.py").write_text("from daebus import Daebus\nfrom .names import NAME\napp = Daebus(NAME)\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_target(f"{package / 'app.py'}:app").name == "bakery"
