"""A project of its own for mypy, in which the programs of this folder are checked with the plugin."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dependency_injector

__all__ = ["HERE", "Expected", "Found", "Project", "expectations"]

HERE = Path(__file__).parent
SETTINGS = """
[mypy]
strict = True
plugins = daebus.mypy
show_traceback = True
mypy_path = {path}
cache_dir = {cache}
cache_fine_grained = True
local_partial_types = True

[mypy-right_disabled_by_settings]
disable_error_code = daebus-wiring, daebus-signature, daebus-path, daebus-duplicate

[mypy-dependency_injector.*]
ignore_errors = True
"""
ROOT = HERE.parent.parent
MARK = re.compile(r"\s*# ! (?P<code>[a-z-]+): (?P<parts>.+)$")


@dataclass(frozen=True, order=True)
class Found:
    """An error that mypy reported."""

    line: int
    code: str
    text: str


@dataclass(frozen=True, order=True)
class Expected:
    """An error that a program says it has: on the next line that is no such mark."""

    line: int
    code: str
    parts: tuple[str, ...]

    def fits(self, found: Found) -> bool:
        """Whether it is this error."""
        return (self.line, self.code) == (found.line, found.code) and all(part in found.text for part in self.parts)


def expectations(source: str) -> list[Expected]:
    """What the marks in a program say."""
    lines = source.splitlines()
    expected: list[Expected] = []
    for number, line in enumerate(lines):
        mark = MARK.match(line)
        if mark is not None:
            at = next(later for later in range(number + 1, len(lines)) if MARK.match(lines[later]) is None)
            expected.append(Expected(at + 1, mark["code"], tuple(mark["parts"].split(" && "))))
    return sorted(expected)


class Project:
    """A folder with a mypy configuration and a cache that tests may share."""

    def __init__(self, folder: Path, cache: Path, *, stubs: bool = True) -> None:
        self.folder = folder
        self._settings = folder / f"{'our' if stubs else 'own'}_stubs.ini"
        typings = ROOT / "typings"
        if not stubs:
            # Found before our stubs, which come with daebus where it is installed.
            typings = cache.with_name("own_stubs")
            typings.mkdir()
            (typings / "dependency_injector").symlink_to(Path(dependency_injector.__file__).parent)
        self._settings.write_text(SETTINGS.format(cache=cache, path=typings))

    def add(self, name: str, source: str | None = None) -> Path:
        """Write a module: a program of this folder, or a source."""
        path = self.folder / f"{Path(name).name}.py"
        if source is None:
            shutil.copyfile(HERE / f"{name}.py.txt", path)
        else:
            path.write_text(source)
        return path

    def check(self) -> dict[str, list[Found]]:
        """Run mypy on all modules. Returns the errors by the name of the module, without the modules that have none."""
        command = [sys.executable, "-m", "mypy", "--config-file", str(self._settings), "--output=json", "."]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        found: dict[str, list[Found]] = {}
        for line in filter(None, done.stdout.splitlines()):
            entry = json.loads(line)
            if entry["severity"] == "error":
                name = Path(entry["file"]).stem
                found.setdefault(name, []).append(Found(entry["line"], entry["code"], entry["message"]))
        return {name: sorted(errors) for name, errors in found.items()}

    def daemon(self, *arguments: str) -> str:
        """Run a command of dmypy. Returns what it prints."""
        command = [sys.executable, "-m", "mypy.dmypy", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.stdout
