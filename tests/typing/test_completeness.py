"""Everything that the package offers has a type that no checker needs to guess."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

pytestmark = pytest.mark.skipif(find_spec("basedpyright") is None, reason="needs the dependency group `types`")


class Problem(msgspec.Struct):
    message: str
    severity: str


class Module(msgspec.Struct):
    name: str


class Symbol(msgspec.Struct, rename="camel"):
    name: str
    is_type_known: bool
    is_type_ambiguous: bool
    diagnostics: list[Problem]


class Completeness(msgspec.Struct, rename="camel"):
    completeness_score: float
    modules: list[Module]
    symbols: list[Symbol]


class Report(msgspec.Struct, rename="camel"):
    type_completeness: Completeness


def test_every_public_type_is_complete(tmp_path: Path) -> None:
    # From an empty folder: no stub and no setting of the project may help.
    options = ["--verifytypes", "daebus", "--ignoreexternal", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", *options], cwd=tmp_path, capture_output=True, check=False
    )
    found = msgspec.json.decode(done.stdout, type=Report).type_completeness
    incomplete = [
        f"{symbol.name}: {problem.message}"
        for symbol in found.symbols
        if symbol.is_type_ambiguous or not symbol.is_type_known
        for problem in symbol.diagnostics
        if problem.severity == "error"
    ]
    assert incomplete == []
    assert found.completeness_score == 1
    assert {"daebus", "daebus.errors", "daebus.testing"} <= {module.name for module in found.modules}
