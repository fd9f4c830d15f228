"""``daebus check --fix`` and ``--diff``: corrections of the files of an app."""

from __future__ import annotations

import difflib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import click
import msgspec

from daebus.checking.contracts import is_installed
from daebus.checking.snapshot import Inspection, Snapshot
from daebus.editing.correcting import Corrected, correct
from daebus.errors import StartupError
from daebus.mistakes.places import show_path

__all__ = ["fix", "show_fixes"]

_ENCODINGS = ("utf-8", "utf-8-sig")


def fix(target: str, service: str | None, folders: list[Path]) -> None:
    """Correct the files of an app as far as that is certain, and list the corrections on stderr.

    Args:
        target: The app.
        service: The name under which it is served; None: its own.
        folders: The folders whose files may be changed.

    Raises:
        StartupError: The app ends the process that imports it, or a file cannot be written.
    """
    files = _Files(folders)
    corrected = _correct(target, service, folders, files)
    files.write(corrected.texts)
    for one in corrected.corrections:
        click.echo(f"{one.mistake.file}:{one.mistake.line}: {one.title}  [{one.mistake.code}]", err=True)
    click.echo(_count("fixed", len(corrected.corrections)), err=True)


def show_fixes(target: str, service: str | None, folders: list[Path]) -> bool:
    """Write the corrections of `fix` to stdout as a diff, and change no file. Returns whether there are mistakes."""
    files = _Files(folders)
    corrected = _correct(target, service, folders, files)
    for path, text in corrected.texts.items():
        name, before = show_path(path), files.read(path) or ""
        click.echo("".join(_ended(difflib.unified_diff(_lines(before), _lines(text), name, name))), nl=False)
    click.echo(f"{_count('would fix', len(corrected.corrections))}, {len(corrected.left)} left", err=True)
    return bool(corrected.corrections or corrected.left)


def _count(verb: str, count: int) -> str:
    return f"{verb} {count} {'mistake' if count == 1 else 'mistakes'}"


def _lines(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


def _ended(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a diff, also of a file whose last line has no end."""
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _correct(target: str, service: str | None, folders: list[Path], files: _Files) -> Corrected:
    root = str(Path.cwd())
    return correct(partial(_check, root, target, service, folders), files.read, lambda file: os.path.join(root, file))


def _check(root: str, target: str, service: str | None, folders: list[Path], texts: Mapping[str, str]) -> Snapshot:
    """Check the app in a process of its own, as a process imports it only once."""
    ordered = Inspection(root, [str(folder) for folder in folders], target, service, texts)
    done = subprocess.run(
        [sys.executable, "-B", "-m", "daebus.checking"],
        input=msgspec.json.encode(ordered),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode != 0:
        raise StartupError(f"The import of {target} ended its process: exit code {done.returncode}.")
    return msgspec.json.decode(done.stdout, type=Snapshot)


class _Files:
    """The files of an app below some folders, as they were when they were first read."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self._read: dict[str, tuple[bytes, str, str] | None] = {}

    def read(self, path: str) -> str | None:
        """The text of a file; None: it is not below the folders, is installed, is not UTF-8, or cannot be written."""
        if path not in self._read:
            is_own = any(Path(path).is_relative_to(folder) for folder in self._folders) and not is_installed(path)
            self._read[path] = _decoded(Path(path).read_bytes()) if is_own and os.access(path, os.W_OK) else None
        found = self._read[path]
        return None if found is None else found[1]

    def write(self, texts: Mapping[str, str]) -> None:
        """Replace files, each at once; none, if one of them has changed since it was read.

        Raises:
            StartupError: One has changed, or cannot be written.
        """
        contents: dict[str, bytes] = {}
        for path, text in texts.items():
            known = self._read[path]
            if known is None or Path(path).read_bytes() != known[0]:
                raise StartupError(f"{show_path(path)} has changed meanwhile, so no file was changed: run it again.")
            contents[path] = text.encode(known[2])
        for path, content in contents.items():
            try:
                _replace(path, content)
            except OSError as error:
                raise StartupError(f"{show_path(path)} could not be written: {error.strerror}.") from error


def _decoded(content: bytes) -> tuple[bytes, str, str] | None:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return (content, content.decode(encoding), encoding) if encoding in _ENCODINGS else None
    except (SyntaxError, UnicodeDecodeError):
        return None


def _replace(path: str, content: bytes) -> None:
    """Replace a file at once, the one that a link means; its mode stays."""
    file = os.path.realpath(path)
    descriptor, draft = tempfile.mkstemp(prefix=".daebus-", dir=os.path.dirname(file))
    try:
        with open(descriptor, "wb") as out:
            out.write(content)
        shutil.copymode(file, draft)
        os.replace(draft, file)
    except BaseException:
        os.unlink(draft)
        raise
