"""What a user of the wheel gets, checked with the Python that it is installed in: see ``nox -s wheel``.

A project as the README would have it written is right for the type checkers, ``daebus check`` and pytest, mistakes in
it are seen, and a program that has nothing to do with daebus is not disturbed by the stubs for dependency-injector.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = sys.executable
CHECKERS = {
    "mypy": ("mypy",),
    "pyright": ("basedpyright", "--pythonpath", PYTHON),
    "ty": ("ty", "check", "--python", sys.prefix, "."),
    "pyrefly": ("pyrefly", "check", "--preset", "strict", "--python-interpreter-path", PYTHON, "--search-path", "."),
    "zuban": ("zuban", "check", "--strict", "--python-executable", PYTHON, "."),
    "check": ("daebus", "check", "bookshop.app:app"),
}
TYPES: tuple[str, ...] = ("mypy", "pyright", "ty", "pyrefly", "zuban")
BOOKS, CONTAINER = "bookshop/books.py", "bookshop/container.py"
# The file, what stands there, the mistake in its place, and what each checker says of it, as far as it sees it.
PLANTED: list[tuple[str, str, str, dict[str, str]]] = [
    (BOOKS, "*, repo: BookRepo) -> Book:", "*, rebo: BookRepo) -> Book:", {"mypy": "daebus-wiring", "check": "'repo'"}),
    (BOOKS, "query: GetBook, *, repo", "query: Book, *, repo", {**dict.fromkeys(TYPES, "GetBook"), "ty": "GET_BOOK"}),
    (BOOKS, "use(Container.repo)", "use(Container.rebo)", {**dict.fromkeys(TYPES, "rebo"), "check": "rebo"}),
    (BOOKS, "*, db: Database", "*, db: Session", {"mypy": "gives Database", "check": "gives Database"}),
    (BOOKS, "/books/<isbn>", "/books/<id>", {"mypy": "daebus-path", "check": "<id>"}),
    (CONTAINER, "limit=100", 'limit="many"', {"mypy": "arg-type"}),
    (CONTAINER, "url=config.url", "ulr=config.url", {"mypy": "call-arg"}),
    ("tests/test_books.py", 'GetBook("1"))).title', 'GetBook("1"))).tilte', dict.fromkeys(TYPES, "tilte")),
    # dependency-injector's own types let any name of an instance pass.
    ("tests/test_books.py", "container.repo.override", "container.rebo.override", dict.fromkeys(TYPES, "rebo")),
    ("bookshop/app.py", "container=Container()", "container=Container", dict.fromkeys(TYPES, "Container")),
]


def run(folder: Path, *command: str) -> tuple[int, str]:
    """Run a program of this environment. Returns its exit code, and all that it said."""
    program = str(Path(PYTHON).with_name(command[0]))
    done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def must_be_right(folder: Path, *command: str) -> None:
    """Fail where a command finds something."""
    code, said = run(folder, *command)
    if code != 0:
        sys.exit(f"{' '.join(command)} in {folder.name}:\n{said}")


def must_be_told(folder: Path, file: str, change: tuple[str, str], told: dict[str, str]) -> None:
    """Fail where a mistake is not seen by those who see it."""
    path = folder / file
    right = path.read_text()
    assert right.count(change[0]) >= 1, f"{file} has no {change[0]!r}"
    path.write_text(right.replace(*change, 1))
    for checker, text in told.items():
        code, said = run(folder, *CHECKERS[checker])
        if code != 1 or text not in said:
            sys.exit(f"{checker} does not say {text!r} of {change[1]!r} in {file}:\n{said}")
    path.write_text(right)


def main() -> None:
    """Check everything. Exits with what is wrong."""
    with tempfile.TemporaryDirectory() as name:
        project, stranger = Path(name, "project"), Path(name, "stranger")
        shutil.copytree(HERE / "project", project)
        shutil.copytree(HERE / "stranger", stranger)
        for command in (*CHECKERS.values(), ("python", "-m", "pytest", "-q")):
            must_be_right(project, *command)
        for file, old, new, told in PLANTED:
            must_be_told(project, file, (old, new), told)
        must_be_right(stranger, "mypy", "--strict", ".")
        for checker in TYPES[1:]:
            must_be_right(stranger, *CHECKERS[checker])
        must_be_right(stranger, "python", "-m", "pytest", "-q")


if __name__ == "__main__":
    main()
