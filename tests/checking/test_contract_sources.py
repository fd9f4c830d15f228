"""Contracts are read from files, from the code, and from commits of git."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from tests.project import BROKEN, Project

from daebus.checking.contract_sources import foreign_modules, read_contracts
from daebus.checking.targets import TargetError
from daebus.compare.shapes import RecordName
from daebus.errors import StartupError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "src"), *sys.path])
    return Project(tmp_path, "src")


def test_a_commit_is_read_from_its_own_files_where_the_project_is_on_the_path(project: Project) -> None:
    project.change(BROKEN)
    found = read_contracts("main:shop.app:app", "store")
    assert (found.service, found.actions["find"].takes) == ("store", RecordName("Query"))
    assert [field.name for field in found.records["Query"].fields] == ["id"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("nowhere:shop.app:app", TargetError, "There is no 'nowhere' in git"),
        ("main:shop.nothing:app", StartupError, "There is no module 'shop.nothing'"),
        ("old.json", TargetError, "There is no file old.json: write one with `daebus export contracts"),
        ("main:shop.app", TargetError, "A target in a commit has three parts, main:module:app"),
        (".git/config", TargetError, ".git/config is no file of contracts"),
    ],
)
def test_what_cannot_be_read_is_said(source: str, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        read_contracts(source, None)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text('{"openapi": "3.1.0", "service": "shop"}')
    with pytest.raises(TargetError, match="is no file of contracts"):
        read_contracts(str(tmp_path / "api.json"), None)


def test_modules_of_the_working_tree_are_told_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "stray_module.py").write_text("")
    importlib.import_module("stray_module")
    try:
        assert foreign_modules(tmp_path) == ["stray_module"]
        assert foreign_modules(tmp_path / "other") == []
    finally:
        del sys.modules["stray_module"]
