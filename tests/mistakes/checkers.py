"""What the type checkers say of programs. Imports nothing but the standard library: peers are checked with it too."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .catalogue import CHECKERS, Checker, Told

__all__ = ["By", "Run", "run_all", "run_checker"]

ROOT = Path(__file__).parents[2]
STUBS, SOURCES = ROOT / "typings", ROOT / "src"
BIN = Path(sys.executable).parent
By = Mapping[str, Sequence[Told]]
Said = Iterator[tuple[str, Told]]


@dataclass(frozen=True)
class Run:
    """How a checker is asked.

    Attributes:
        folder: The folder with the programs; what the checkers need is written there.
        strict: Whether in its strict mode, otherwise in the mode that it has without any settings.
        plugin: The plugin of mypy; empty: none.
    """

    folder: Path
    strict: bool = True
    plugin: str = "daebus.mypy"


def run_checker(checker: Checker, run: Run) -> By:
    """What a checker says of the modules of a folder, by their names. Only errors count."""
    found: dict[str, list[Told]] = defaultdict(list)
    for file, told in _SAID[checker](run):
        place = (run.folder / file).relative_to(run.folder)
        found[".".join(place.with_suffix("").parts)].append(told)
    return found


def run_all(run: Run, checkers: Sequence[Checker] = CHECKERS) -> dict[Checker, By]:
    """What several checkers say, in one run of each."""
    with ThreadPoolExecutor() as pool:
        told = list(pool.map(run_checker, checkers, [run] * len(checkers)))
    return dict(zip(checkers, told, strict=True))


def _mypy(run: Run) -> Said:
    file = _settings(run, "mypy.ini", f"plugins = {run.plugin}\ncache_dir = {run.folder / 'mypy_cache'}")
    arguments = ("--config-file", file, "--no-error-summary", "--output=json", ".")
    for line in _output(run, "mypy", *arguments).splitlines():
        entry = json.loads(line)
        if entry["severity"] == "error":
            yield entry["file"], Told(entry["line"], entry["code"], entry["message"])


def _settings(run: Run, name: str, more: str = "") -> Path:
    """The settings in the form of mypy, which zuban reads too."""
    file = run.folder / name
    file.write_text(f"[mypy]\nstrict = {run.strict}\nmypy_path = .:{STUBS}:{SOURCES}\n{more}\n")
    return file


def _pyright(run: Run, name: str = "pyright") -> Said:
    settings = {
        "include": ["."],
        "extraPaths": [str(SOURCES)],
        "stubPath": str(STUBS),
        # The twins share their imports.
        "reportUnusedImport": False,
        **({"typeCheckingMode": "strict"} if run.strict else {}),
    }
    file = run.folder / f"{name}-{run.strict}.json"
    file.write_text(json.dumps(settings))
    output = _output(run, name, "--pythonpath", sys.executable, "--outputjson", "--project", file)
    for problem in json.loads(output)["generalDiagnostics"]:
        if problem["severity"] == "error":
            line = problem["range"]["start"]["line"] + 1
            yield problem["file"], Told(line, problem.get("rule", "syntax"), problem["message"])


def _basedpyright(run: Run) -> Said:
    return _pyright(run, "basedpyright")


def _ty(run: Run) -> Said:
    paths = ("--python", sys.prefix, "--extra-search-path", STUBS, "--extra-search-path", SOURCES)
    # It has no strict mode; some of its rules are off, and tell what they do not know.
    rules = ("--config", 'rules.all = "error"') if run.strict else ()
    output = _output(run, "ty", "check", *paths, *rules, "--output-format", "concise", ".")
    return _lines(output, r"(?P<file>.+?):(?P<line>\d+):\d+: error\[(?P<code>[\w-]+)\] (?P<text>.*)")


def _pyrefly(run: Run) -> Said:
    paths = [part for path in (".", STUBS, SOURCES) for part in ("--search-path", path)]
    preset = ("--preset", "strict" if run.strict else "default")
    settings = (*preset, "--python-interpreter-path", sys.executable, "--output-format", "json", "--summary=none")
    output = _output(run, "pyrefly", "check", *settings, *paths, *_modules(run.folder))
    for error in json.loads(output)["errors"]:
        if error["severity"] == "error":
            yield error["path"], Told(error["line"], error["name"], error["description"])


def _zuban(run: Run) -> Said:
    settings = _settings(run, f"zuban-{run.strict}.ini")
    mode = ("--strict",) if run.strict else ()
    output = _output(
        run, "zuban", "check", *mode, "--config-file", settings, "--python-executable", sys.executable, "."
    )
    return _lines(output, r"(?P<file>.+?):(?P<line>\d+): error: (?P<text>.*)  \[(?P<code>[\w-]+)\]")


_SAID: Mapping[Checker, Callable[[Run], Said]] = {
    "mypy": _mypy,
    "pyright": _pyright,
    "basedpyright": _basedpyright,
    "ty": _ty,
    "pyrefly": _pyrefly,
    "zuban": _zuban,
}


def _modules(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*.py"))


def _lines(output: str, pattern: str) -> Said:
    for said in re.finditer(f"^{pattern}$", output, re.MULTILINE):
        yield said["file"], Told(int(said["line"]), said["code"], said["text"])


def _output(run: Run, program: str, *arguments: object) -> str:
    command = [str(BIN / program), *map(str, arguments)]
    done = subprocess.run(command, cwd=run.folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout
