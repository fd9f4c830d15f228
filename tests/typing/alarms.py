"""``python -m tests.typing.alarms``: pyright, ty, pyrefly and zuban over programs that are right, strict modes too.

The programs are the examples, what ``accepted_*`` has of each shape of handler, the right twins of the catalogue of
mistakes, and the project of ``tests/wheel``: all that a user would write. mypy and basedpyright read them elsewhere.
An error that is planted beside them shows that a checker has read the programs.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.mistakes.catalogue import CASES, all_cases, compare, write_cases
from tests.mistakes.checkers import By, Run, run_checker

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "examples/by_protocol/my_app",
    "examples/chat/chat",
    "examples/orders/shop",
    "examples/orders/warehouse",
    "examples/users/user_service",
    "tests/wheel/project/bookshop",
)
MODULES = ("examples/hello.py", "examples/users/app.py", "tests/wheel/project/tests/test_books.py")
PLANTED = "planted"


def write_programs(folder: Path) -> None:
    """Write all right programs as one project."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / Path(name).name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in MODULES:
        shutil.copy(ROOT / name, folder)
    (folder / "accepted").mkdir()
    (folder / "accepted" / "__init__.py").touch()
    for path in (*Path(__file__).parent.glob("accepted_*.py"), Path(__file__).with_name("things.py")):
        shutil.copy(path, folder / "accepted")
    shutil.copy(CASES / "accounts.py", folder)
    for case in all_cases():
        (folder / f"{case.module('right')}.py").write_text(case.right)
    (folder / f"{PLANTED}.py").write_text('number: int = ""\n')


def alarms(checker: str, said: By) -> Iterator[str]:
    """What a checker tells of programs that are right, and that it does not see the planted error."""
    if not said.get(PLANTED):
        yield f"{checker} does not see the error in {PLANTED}.py: it has read nothing"
    for module, told in said.items():
        if module != PLANTED:
            yield from (f"{checker}: {module}:{one.line}: {one.text}  [{one.code}]" for one in told)


def differences(said: By) -> Iterator[str]:
    """Where pyright does not say of the wrong programs what is recorded of it, and of basedpyright."""
    for case in all_cases():
        marks = [mark for mark in case.expected if mark.stage == "pyright"]
        module = case.module("wrong")
        yield from (f"pyright: {module}: {text}" for text in compare(marks, said.get(module, [])))


def main() -> None:
    """Print all alarms. Exits with 1 where there is one."""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_programs(folder)
        for checker in ("ty", "pyrefly", "zuban"):
            found += alarms(checker, run_checker(checker, Run(folder, strict=False)))
            found += alarms(f"{checker}, strict", run_checker(checker, Run(folder)))
        write_cases(all_cases(), folder)
        said = run_checker("pyright", Run(folder))
    found += alarms("pyright, strict", {name: told for name, told in said.items() if not name.startswith("wrong_")})
    found += differences(said)
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
