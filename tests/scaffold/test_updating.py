"""`daebus new --update`: what a newer daebus writes is merged into the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scaffold.test_creating import git, no_identity

from daebus.errors import ConfigurationError
from daebus.scaffold import rendering
from daebus.scaffold.creating import create
from daebus.scaffold.rendering import Answers
from daebus.scaffold.updating import update

__all__ = ["no_identity"]


def set_version(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    def version(_: str) -> str:
        return number

    monkeypatch.setattr(rendering, "version", version)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a commit of its user."""
    folder = tmp_path / "shop"
    create(Answers("shop"), folder)
    for name, value in (("user.name", "Somebody"), ("user.email", "somebody@example.com")):
        git(folder, "config", name, value)
    readme = folder / "README.md"
    readme.write_text(f"{readme.read_text()}\nOf our own.\n")
    git(folder, "commit", "--quiet", "--all", "--message", "Ours")
    return folder


@pytest.fixture
def newer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daebus with another version than the one that has made the project; its files name it."""
    set_version(monkeypatch, "99.1")


def test_the_same_version_changes_nothing(project: Path) -> None:
    before = git(project, "rev-parse", "HEAD")
    assert not update(project, {})
    assert git(project, "rev-parse", "HEAD") == before


@pytest.mark.usefixtures("newer")
def test_the_changes_of_both_are_kept(project: Path) -> None:
    assert update(project, {})
    assert '"daebus>=99.1"' in (project / "pyproject.toml").read_text()
    assert (project / "README.md").read_text().endswith("Of our own.\n")
    assert git(project, "status", "--porcelain") == ""
    assert not update(project, {})


def test_later_updates_keep_them_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("99.1", "99.2"):
        set_version(monkeypatch, number)
        assert update(project, {})
    assert '"daebus>=99.2"' in (project / "pyproject.toml").read_text()
    assert (project / "README.md").read_text().endswith("Of our own.\n")


def test_an_option_can_be_added(project: Path) -> None:
    assert update(project, {"socket": True})
    assert "DaebusWebSocket" in (project / "src" / "shop" / "app.py").read_text()
    assert (project / "README.md").read_text().endswith("Of our own.\n")


@pytest.mark.usefixtures("newer")
def test_a_conflict_is_left_to_the_user(project: Path) -> None:
    file = project / "pyproject.toml"
    file.write_text(file.read_text().replace('"daebus>=1', '"daebus==1'))
    git(project, "commit", "--quiet", "--all", "--message", "Pinned")
    with pytest.raises(ConfigurationError, match="resolve the conflicts that `git status` lists"):
        update(project, {})
    assert "<<<<<<<" in file.read_text()


def test_what_is_not_committed_is_not_touched(project: Path) -> None:
    (project / "README.md").write_text("new")
    with pytest.raises(ConfigurationError, match="commit them first"):
        update(project, {"socket": True})
    assert (project / "README.md").read_text() == "new"


def test_a_folder_that_was_not_made_so_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="was not made by `daebus new`"):
        update(tmp_path, {})
    (tmp_path / ".daebus-new.yml").write_text("name: shop\n")
    with pytest.raises(ConfigurationError, match="has no commit of `daebus new`"):
        update(tmp_path, {})
