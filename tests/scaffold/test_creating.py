"""`daebus new`: a project with a first commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from daebus.cli import main
from daebus.scaffold.creating import create
from daebus.scaffold.rendering import Answers


def git(folder: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(autouse=True)
def no_identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user has not told git who commits."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("EMAIL", "")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{name}_NAME", raising=False)
        monkeypatch.delenv(f"GIT_{name}_EMAIL", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)


def test_all_files_are_in_the_first_commit(tmp_path: Path) -> None:
    assert create(Answers("shop"), tmp_path / "shop")
    assert git(tmp_path / "shop", "status", "--porcelain") == ""
    assert "src/shop/notes/handlers.py" in git(tmp_path / "shop", "ls-files").splitlines()
    assert git(tmp_path / "shop", "branch", "--show-current") == "main"


def test_a_folder_in_a_repository_is_left_to_the_user(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert not create(Answers("shop"), tmp_path / "shop")
    assert not (tmp_path / "shop" / ".git").exists()
    assert (tmp_path / "shop" / "pyproject.toml").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine").touch()
    done = CliRunner().invoke(main, ["new", "shop"])
    assert (done.exit_code, done.stderr) == (1, "Error: shop is not empty: choose another name, or an empty folder.\n")
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine"]


def test_the_command_writes_what_was_asked_for(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new", "shop", "--no-http", "--socket", "--database", "postgres", "--by-protocol"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert {path.name for path in (tmp_path / "shop" / "src" / "shop").iterdir()} == {
        *("__init__.py", "actions.py", "app.py", "container.py", "contracts.py", "events.py", "settings.py"),
        *("sockets.py", "store.py"),
    }


@pytest.mark.parametrize("arguments", [[], ["shop", "--update"]])
def test_a_name_or_an_update(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["new", *arguments])
    assert done.exit_code == 2
    assert "Name the new project, or give --update in the folder of one." in done.stderr


def test_a_wrong_name_is_told() -> None:
    done = CliRunner().invoke(main, ["new", "My Shop"])
    assert done.exit_code == 1
    assert "A project cannot be named 'My Shop'" in done.stderr
