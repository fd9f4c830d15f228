"""The rules of CONTRIBUTING.md that can be counted: sizes, and that each message meets its handler in one place."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "daebus"
TESTS = Path(__file__).parents[1]
MODULES = {str(path.relative_to(SOURCE)): path.read_text() for path in SOURCE.rglob("*.py")}

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def nodes() -> list[tuple[str, AnyFunction | ast.Call]]:
    """The functions and the calls of all modules, with the name of the module."""
    return [
        (name, node)
        for name, source in MODULES.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, AnyFunction | ast.Call)
    ]


def functions() -> Iterator[tuple[str, AnyFunction]]:
    for name, node in nodes():
        if isinstance(node, AnyFunction):
            yield f"{name}:{node.lineno} {node.name}", node


def callers(function: str) -> set[str]:
    """The modules that call a function, or a class, by its bare name."""
    return {
        name
        for name, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
    }


def test_modules_have_at_most_300_lines() -> None:
    assert {name: lines for name, source in MODULES.items() if (lines := source.count("\n")) > 300} == {}


def test_folders_have_at_most_15_modules() -> None:
    counted = Counter(str(Path(name).parent) for name in MODULES if not name.endswith("__init__.py"))
    assert {folder: number for folder, number in counted.items() if number > 15} == {}


def test_each_folder_with_modules_has_a_folder_of_tests() -> None:
    with_modules = {Path(name).parts[0] for name in MODULES if "/" in name and not name.endswith("__init__.py")}
    assert with_modules - {path.name for path in TESTS.iterdir() if [*path.glob("test_*.py")]} == set()


def test_files_of_tests_are_named_after_what_they_test() -> None:
    """``tests/queues/test_leases_fences.py`` tests ``daebus.queues.leases``, in what its name adds."""

    def names(folder: str) -> Iterator[str]:
        yield folder
        yield from (each.stem for each in (SOURCE / folder).iterdir() if not each.name.startswith("_"))

    folders = [path.name for path in TESTS.iterdir() if (SOURCE / path.name).is_dir()]
    assert [
        f"{folder}/{path.name}"
        for folder in folders
        for path in (TESTS / folder).glob("test_*.py")
        if not any(f"{path.stem}_".startswith(f"test_{name}_") for name in names(folder))
    ] == []


def test_functions_have_at_most_40_lines_without_their_docstring() -> None:
    def length(function: AnyFunction) -> int:
        documented = len((ast.get_docstring(function, clean=False) or "").splitlines())
        return (function.end_lineno or 0) - function.lineno + 1 - documented

    assert {where: lines for where, function in functions() if (lines := length(function)) > 40} == {}


def test_functions_have_at_most_8_parameters() -> None:
    def parameters(function: AnyFunction) -> int:
        named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        return len([one for one in named if one.arg not in ("self", "cls")])

    assert {where: count for where, function in functions() if (count := parameters(function)) > 8} == {}


def test_each_folder_says_what_it_is_for() -> None:
    silent = [
        name
        for name, source in MODULES.items()
        if name.endswith("__init__.py") and not ast.get_docstring(ast.parse(source))
    ]
    assert silent == []


def test_a_message_meets_its_handler_in_one_place() -> None:
    assert callers("Context") == callers("failure") == {"delivery/delivery.py"}
    assert callers("dispatch") | callers("dispatch_stream") == set()  # they are part of what a delivery is made of
    assert {name for name, source in MODULES.items() if ".dispatch import " in source} == {"delivery/delivery.py"}
