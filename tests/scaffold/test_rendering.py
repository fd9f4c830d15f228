"""Each project that the templates can write is valid Python, YAML and TOML, with nothing left of the templates."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.scaffold.projects import combinations

from daebus.errors import ConfigurationError
from daebus.scaffold.rendering import Answers, render


@pytest.mark.parametrize("answers", combinations(), ids=str)
def test_the_files_are_valid(tmp_path: Path, answers: Answers) -> None:
    folder = tmp_path / "project"
    render(answers, folder)
    files = {path.relative_to(folder): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert [path for path, text in files.items() if re.search(r"\{%|(?<!\$)\{\{", text)] == []
    for path, text in files.items():
        assert text.endswith("\n")
        match path.suffix:
            case ".py":
                compile(text, str(path), "exec")
            case ".toml":
                assert tomllib.loads(text)["tool"]["daebus"]["app"] == "my_notes.app:app"
            case ".yaml" | ".yml":
                assert msgspec.yaml.decode(text)
            case _:
                pass
    assert (Path("alembic.ini") in files) is (answers.database != "none")
    assert any("add_note" in text and "route" in text for text in files.values()) is answers.http
    assert any("DaebusWebSocket" in text for text in files.values()) is answers.socket


@pytest.mark.parametrize(
    "answers",
    [Answers("my-notes", socket=True), Answers("shop2", database="sqlite", layout="by-protocol")],
    ids=["redis", "sqlite"],
)
def test_its_tests_pass(tmp_path: Path, answers: Answers) -> None:
    render(answers, tmp_path / "project")
    environment = {**os.environ, "PYTHONPATH": "src"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    done = subprocess.run(
        command, cwd=tmp_path / "project", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "Shop", "2shop", "my shop", "shop-", "class", "daebus", "../shop", "a--b"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="use lower-case letters"):
        Answers(name)
