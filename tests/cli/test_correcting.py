"""``daebus check --fix`` and ``--diff``: the help of mistakes as changes of files, where it leaves no choice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from tests.processes import DAEBUS, ran

from daebus.cli import main

APP = """\
from dependency_injector import providers
from daebus import Blueprint, Daebus, ServiceContainer

class Repo:
    def find(self, key: str) -> str:
        return key

class Container(ServiceContainer):
    repo = providers.Singleton(Repo)

users = Blueprint("users", services=Container)

@users.action("get")
async def get(user_id: str, *, reppo: Repo) -> str:
    return reppo.find(user_id)  # reppo.find

@users.action("put")
async def put(
    user_id: str,  # from the message
    repo: Repo,
) -> None: ...

app = Daebus("shop", container=Container())
app.register_blueprint(users)
"""
FIXED = (
    APP.replace("*, reppo: Repo", "*, repo: Repo")
    .replace("return reppo.find(", "return repo.find(")
    .replace("    repo: Repo,", "    *, repo: Repo,")
)
OTHERS = """\
from daebus import Blueprint, Logger
others = Blueprint(__name__)

@others.action(__name__)
async def other(*, loger: Logger) -> None: ...
"""
LEFT = APP.replace("user_id: str,  # from", "user_id: str, other: str,  # from")


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(*DAEBUS, "check", "app", *arguments, cwd=folder)


def write(folder: Path, text: str, newline: str = "\n") -> Path:
    (folder / "pyproject.toml").touch()
    file = folder / "app.py"
    file.write_text(text, newline=newline)
    return file


def test_certain_fixes_are_made_and_listed(tmp_path: Path) -> None:
    file = write(tmp_path, APP, newline="\r\n")
    file.chmod(0o640)
    link = file.rename(tmp_path / "real.py")
    file.symlink_to(link)
    done = check(tmp_path, "--fix")
    assert done.stderr == (
        "app.py:14: Change reppo to repo  [unknown-service]\n"
        "app.py:20: Put a bare * before the services  [forgotten-star]\n"
        "fixed 2 mistakes\n"
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "ok: shop, 2 handlers")
    assert file.read_bytes() == FIXED.replace("\n", "\r\n").encode()
    assert (file.is_symlink(), link.stat().st_mode & 0o777) == (True, 0o640)
    assert not list(tmp_path.glob(".daebus-*"))


def test_a_diff_changes_nothing_also_of_a_fix(tmp_path: Path) -> None:
    file = write(tmp_path, LEFT)
    done = check(tmp_path, "--fix", "--diff")
    assert (done.returncode, done.stderr) == (1, "would fix 2 mistakes, 1 left\n")
    assert file.read_text() == LEFT
    patched = subprocess.run(["patch", "-p0"], input=done.stdout, cwd=tmp_path, text=True, check=False)
    assert (patched.returncode, "reppo: Repo" in file.read_text()) == (0, False)


def test_no_file_is_changed_that_is_not_utf_8_or_not_of_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    registered = "app.register_blueprint(elsewhere.others)\napp.register_blueprint(legacy.others)\n"
    write(project, f"import elsewhere, legacy\n{FIXED}{registered}")
    (tmp_path / "elsewhere.py").write_text(OTHERS)
    (project / "legacy.py").write_bytes(b"# coding: latin-1\n# \xe4\n" + OTHERS.encode())
    before = [(tmp_path / "elsewhere.py").read_bytes(), (project / "legacy.py").read_bytes()]
    program = f"import sys; sys.path.append({str(tmp_path)!r}); from daebus.cli import main; main()"
    done = ran(sys.executable, "-c", program, "check", "app", "--fix", cwd=project)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "fixed 0 mistakes")
    assert done.stderr.count("error[unknown-service]") == 2
    assert [(tmp_path / "elsewhere.py").read_bytes(), (project / "legacy.py").read_bytes()] == before


def test_if_a_file_changes_meanwhile_none_is_changed(tmp_path: Path) -> None:
    file = write(tmp_path, APP)
    # Each import changes the file, as somebody who works on it.
    changing = "import pathlib\nwith pathlib.Path(__file__).open('a') as me: me.write('#\\n')\n" + APP
    file.write_text(changing)
    done = check(tmp_path, "--fix")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "Error: app.py has changed meanwhile, so no file was changed: run it again.",
    )
    assert "reppo: Repo" in file.read_text()


def test_an_app_that_ends_its_process_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "import os\nos._exit(3)\n")
    done = check(tmp_path, "--fix")
    assert (done.returncode, done.stderr) == (1, "Error: The import of app ended its process: exit code 3.\n")


def test_options_that_exclude_each_other_are_refused() -> None:
    for options in (("--watch", "--diff"), ("--watch", "--fix"), ("--json", "--watch")):
        done = CliRunner().invoke(main, ["check", "app", *options])
        assert done.exit_code == 2
        assert "Usage: " in done.output
