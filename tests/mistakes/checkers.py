"""What the type checkers say of programs. Imports nothing but the standard library: peers are checked with it too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from .catalogue import Told

__all__ = ["By", "run_mypy", "run_pyright"]

ROOT = Path(__file__).parents[2]
By = Mapping[str, Sequence[Told]]

_MYPY = """
[mypy]
strict = True
mypy_path = {typings}
plugins = {plugins}
cache_dir = {cache}
"""


def run_mypy(folder: Path, plugins: str = "daebus.mypy") -> By:
    """What mypy says of the modules of a folder, by their names."""
    file = folder / "mypy.ini"
    file.write_text(_MYPY.format(typings=ROOT / "typings", plugins=plugins, cache=folder / "mypy_cache"))
    output = _run(folder, "mypy", "--config-file", file, "--no-error-summary", "--output=json", ".")
    found: dict[str, list[Told]] = defaultdict(list)
    for line in output.splitlines():
        entry = json.loads(line)
        if entry["severity"] == "error":
            found[Path(entry["file"]).stem].append(Told(entry["line"], entry["code"], entry["message"]))
    return found


def run_pyright(folder: Path) -> By:
    """What pyright says of the modules of a folder, by their names. The twins share their imports."""
    settings = {
        "include": ["."],
        "typeCheckingMode": "strict",
        "reportUnusedImport": False,
        "extraPaths": [str(ROOT / "src")],
        "stubPath": str(ROOT / "typings"),
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    output = _run(folder, "basedpyright", "--pythonpath", sys.executable, "--outputjson", "--project", ".")
    found: dict[str, list[Told]] = defaultdict(list)
    for problem in json.loads(output)["generalDiagnostics"]:
        if problem["severity"] == "error":
            line = problem["range"]["start"]["line"] + 1
            found[Path(problem["file"]).stem].append(Told(line, problem.get("rule", "syntax"), problem["message"]))
    return found


def _run(folder: Path, *command: object) -> str:
    arguments = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout
