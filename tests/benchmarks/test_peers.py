"""The peers' scripts run elsewhere, where no type checker sees them: what they take from daebus must be there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks" / "peers").glob("*.py"))
PEERS = [path for path in SCRIPTS if path.stem.endswith("_daebus") or path.stem == "bus_floor"]


@pytest.mark.parametrize("path", PEERS, ids=lambda path: path.stem)
def test_what_they_import_is_there(path: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").startswith("daebus")]
    assert ours
    for node in ours:
        module = importlib.import_module(str(node.module))
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
