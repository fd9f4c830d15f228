"""docs/architecture.md names files, functions and imports that are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "daebus"
PAGE = (ROOT / "docs" / "architecture.md").read_text()

_REFERENCE = re.compile(r"`([\w/]+\.py)`(?:\s+`([\w.]+)`)?")
_STEP = re.compile(r"^\d+\. .*(?:\n {3}.*)*", re.MULTILINE)


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def file_of(name: str) -> Path:
    return next((base / name for base in (SOURCE, ROOT) if (base / name).is_file()), SOURCE / name)


@cache
def definitions(path: Path) -> frozenset[str]:
    """The names of the functions, classes and constants of a module, methods as ``Class.method``."""

    def names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from names(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return frozenset(names(ast.parse(path.read_text()).body))


def run_time_imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            todo += ast.iter_child_nodes(node)


def imported(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> list[str]:
    """The modules of daebus that a statement imports, without ``daebus.``."""
    if isinstance(node, ast.Import):
        found = [alias.name for alias in node.names]
    elif node.level:
        base = ("daebus", *package)[: len(package) + 2 - node.level]
        found = [".".join([*base, *([node.module] if node.module else [])])]
    else:
        found = [node.module or ""]
    return [name.removeprefix("daebus.") for name in found if name.startswith("daebus.")]


@cache
def real_imports() -> set[tuple[str, str]]:
    edges: set[tuple[str, str]] = set()
    for path in SOURCE.rglob("*.py"):
        *package, module = path.relative_to(SOURCE).with_suffix("").parts
        if module.startswith("__") and not package:
            continue
        folder = (*package, module)[0]
        for node in run_time_imports(ast.parse(path.read_text())):
            edges |= {(folder, name.split(".")[0]) for name in imported(node, tuple(package))}
    return {(one, other) for one, other in edges if one != other}


def arrows() -> set[tuple[str, str]]:
    diagram = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)
    assert diagram
    return set(re.findall(r"^ +(\w+) --> (\w+)$", diagram[1], re.MULTILINE))


def reached(start: str, edges: set[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        here = todo.pop()
        todo += [other for one, other in edges if one == here and other not in found]
        found |= {other for one, other in edges if one == here}
    return found


def folders() -> set[str]:
    return {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_each_folder_is_in_the_diagram_and_in_the_table() -> None:
    assert folders() - {folder for arrow in arrows() for folder in arrow} == set()
    assert folders() - set(re.findall(r"^\| `(\w+)/` \|", section("Folders"), re.MULTILINE)) == set()


def test_each_arrow_is_an_import_and_each_import_follows_arrows() -> None:
    drawn, real = arrows(), real_imports()
    assert drawn - real == set()
    assert {edge for edge in real if edge[1] not in reached(edge[0], drawn)} == set()


def test_no_arrow_says_what_others_say_already() -> None:
    drawn = arrows()
    assert {edge for edge in drawn if edge[1] in reached(edge[0], drawn - {edge})} == set()


def test_each_file_and_function_of_the_page_is_there() -> None:
    references = _REFERENCE.findall(PAGE)
    assert len(references) > 60
    missing = [
        (file, name)
        for file, name in references
        if not file_of(file).is_file() or (name and name not in definitions(file_of(file)))
    ]
    assert missing == []


def test_each_step_of_a_message_says_where_it_happens() -> None:
    for title in ("The path of an action call", "The path of an HTTP request", "The path of a WebSocket message"):
        steps = _STEP.findall(section(title))
        assert len(steps) > 5, title
        for step in steps:
            assert any(function for _, function in _REFERENCE.findall(step)), step


def test_the_first_table_says_where_each_thing_happens_to_each_kind_of_message() -> None:
    rows = [line for line in section("Where to look").splitlines() if line.startswith("| **")]
    assert [row.split("**")[1] for row in rows] == ["arrives", "decoded", "injected", "called", "answered", "retried"]
    for row in rows:
        assert len(_REFERENCE.findall(row)) >= 1, row
