"""The stubs for dependency-injector, which come with the wheel, miss nothing of what its own types name."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import dependency_injector
import pytest

ITS_OWN = Path(dependency_injector.__file__).parent
STUBS = Path(__file__).parents[2] / "typings" / "dependency_injector"
MODULES = ("containers", "errors", "providers", "resources")


def classes(module: str, folder: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree(module, folder) if isinstance(node, ast.ClassDef)}


def tree(module: str, folder: Path) -> list[ast.stmt]:
    file = folder / f"{module}.pyi"
    return ast.parse((file if file.exists() else file.with_suffix(".py")).read_text()).body


def public(nodes: list[ast.stmt]) -> set[str]:
    """The classes and functions of a module, or the methods and attributes of a class, as far as they are public."""
    defined = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)}
    targets = (node.target for node in nodes if isinstance(node, ast.AnnAssign))
    names = defined | {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def inherited(name: str, known: dict[str, ast.ClassDef]) -> set[str]:
    if name not in known:
        return set()
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in known[name].bases]
    above = (inherited(base.id, known) for base in bases if isinstance(base, ast.Name))
    return public(known[name].body).union(*above)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_there(module: str) -> None:
    ours, theirs = tree(module, STUBS), tree(module, ITS_OWN)
    assert public(theirs) - public(ours) == set()
    known = classes(module, STUBS)
    missing = {name: public(node.body) - inherited(name, known) for name, node in classes(module, ITS_OWN).items()}
    assert {name: names for name, names in missing.items() if names and not name.startswith("_")} == {}


def test_for_its_other_modules_its_own_types_count() -> None:
    assert (STUBS / "py.typed").read_text() == "partial\n"
    assert find_spec("dependency_injector.wiring") is not None
