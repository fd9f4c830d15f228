"""Wrong programs, on which both type checkers must complain: on each marked line, and on no other.

The programs stand in the folder `rejected`, as text, so that nobody takes them for code of ours.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROGRAMS = {path.name.removesuffix(".txt"): path for path in sorted((HERE / "rejected").glob("*.py.txt"))}
MARK = re.compile(r"# E: (?P<checkers>.+)$")

pytestmark = pytest.mark.skipif(
    find_spec("mypy") is None or find_spec("basedpyright") is None, reason="needs the dependency group `types`"
)

Lines = dict[str, set[int]]
"""The numbers of the lines with errors, by file name."""


def marked(path: Path, checker: str) -> set[int]:
    found = enumerate(map(MARK.search, path.read_text().splitlines()), start=1)
    return {number for number, mark in found if mark is not None and checker in mark["checkers"].split(", ")}


def run(*command: object) -> str:
    """Run a type checker from the root of the repository, whose settings it takes."""
    arguments = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, f"{command[0]} did not find errors, or failed:\n{done.stdout}{done.stderr}"
    return done.stdout


def run_mypy(folder: Path) -> Lines:
    settings = folder / "mypy.ini"  # without the plugin
    settings.write_text(f"[mypy]\nstrict = True\nmypy_path = {ROOT / 'typings'}:{ROOT / 'src'}:{ROOT}\n")
    cache = folder.parent / "mypy_cache"
    files = sorted(folder.glob("*.py"))
    output = run("mypy", "--config-file", settings, "--no-error-summary", "--cache-dir", cache, *files)
    found: Lines = defaultdict(set)
    for path, line in re.findall(r"^(.+?):(\d+): error: ", output, re.MULTILINE):
        found[Path(path).name].add(int(line))
    return found


def run_pyright(folder: Path) -> Lines:
    settings = {
        "include": ["."],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT), str(ROOT / "src")],
        "stubPath": str(ROOT / "typings"),
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    output = run("basedpyright", "--pythonpath", sys.executable, "--outputjson", "--project", folder)
    found: Lines = defaultdict(set)
    for problem in json.loads(output)["generalDiagnostics"]:
        if problem["severity"] == "error":
            found[Path(problem["file"]).name].add(problem["range"]["start"]["line"] + 1)
    return found


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lines]:
    """What each checker says of all the programs, in one run of each."""
    folder = tmp_path_factory.mktemp("rejected")
    for name, path in PROGRAMS.items():
        shutil.copy(path, folder / name)
    with ThreadPoolExecutor() as pool:
        mypy, pyright = pool.submit(run_mypy, folder), pool.submit(run_pyright, folder)
        return {"mypy": mypy.result(), "pyright": pyright.result()}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_exactly_the_marked_lines_are_rejected(errors: dict[str, Lines], program: str, checker: str) -> None:
    assert sorted(errors[checker][program]) == sorted(marked(PROGRAMS[program], checker))


def test_every_program_has_marked_lines() -> None:
    assert len(PROGRAMS) >= 5
    assert all(len(marked(path, checker)) > 5 for path in PROGRAMS.values() for checker in ("mypy", "pyright"))
