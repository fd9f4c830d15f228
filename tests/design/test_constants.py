"""No test changes a constant of daebus: what a test must shorten is handed in, as `Timings` or as an argument."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]

NEEDED = {
    ("embedded/test_deployment.py", "_CONTAINER_FILES"): "files of the machine, which tells whether it is a container",
    ("server/test_reach.py", "_CONTAINER_FILES"): "the same files",
    ("http/test_litestar_internals.py", "HAS_STATE"): "whether the installed Litestar has what another may not have",
    ("embedded/test_engine.py", "_KEEPER"): "the keeper of an installation that is broken",
    ("embedded/test_engine.py", "_LAST_RESORT"): "/tmp, whose owner and mode the tests cannot change",
}
"""Which test may change what, and why: facts about the machine that no caller of the code has in hand."""

_CHANGING = re.compile(r"setattr|patch|\.(?:_?[A-Z][A-Z0-9_]+) = ")
"""What stands in each module that changes a constant; the others are not parsed."""

_CONSTANT = re.compile(r"(?:.*\.)?(_?[A-Z][A-Z0-9_]+)")


def changed(source: str) -> Iterator[str]:
    """The constants of daebus that a module changes: by `setattr` in any form, or by assigning to a module's name."""
    tree = ast.parse(source)
    ours = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (node.module or "" if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0] == "daebus"
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setattr" | "object") | ast.Name(id="setattr"),
                args=[ast.Name(id=module), ast.Constant(value=str(name)), *_],
            ) if module in ours and _CONSTANT.fullmatch(name):
                yield name
            case ast.Call(
                func=ast.Attribute(attr="setattr" | "patch") | ast.Name(id="patch"),
                args=[ast.Constant(value=str(path)), *_],
            ) if path.startswith("daebus.") and (found := _CONSTANT.fullmatch(path)):
                yield found[1]
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=module), attr=name)]) if module in ours:
                if _CONSTANT.fullmatch(name):
                    yield name
            case _:
                pass


def test_every_form_is_seen() -> None:
    source = """
from daebus.websocket import hub as websocket
from daebus.delivery import after_commit
import os
monkeypatch.setattr(websocket, "TEND_SECONDS", 1)
monkeypatch.setattr("daebus.channels.groups.BEAT_SECONDS", 1)
mock.patch("daebus.channels.groups._OTHER", 1)
patch.object(after_commit, "PATIENCE", 1)
after_commit.MOST = 1
monkeypatch.setattr(os, "O_RDONLY", 1)
monkeypatch.setattr(websocket, "look", 1)
"""
    assert all(_CHANGING.search(line) for line in source.splitlines()[4:])
    assert sorted(changed(source)) == ["BEAT_SECONDS", "MOST", "PATIENCE", "TEND_SECONDS", "_OTHER"]


def test_no_test_changes_a_constant_of_daebus() -> None:
    found = {
        (str(path.relative_to(TESTS)), name)
        for path in TESTS.rglob("*.py")
        if not {"peers", "cases"} & set(path.parts) and _CHANGING.search(source := path.read_text())
        for name in changed(source)
    }
    assert found == set(NEEDED)
