"""Checks of programs by the worker of the language server, which forks for each: a process imports an app only once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from daebus.checking.snapshot import Snapshot
from daebus.editing.correcting import Corrected, correct
from daebus.lsp.worker.messages import Job, Outcome, Request

__all__ = ["Checker", "checking"]


class Checker:
    """Checks apps in one folder."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self.folder = folder

    def check(self, target: str, texts: Mapping[str, str]) -> Snapshot:
        """What a check of an app finds, with some texts instead of files."""
        job = Job(str(self.folder), [str(self.folder)], target, None, texts, number=1, seconds=60, megabytes=4096)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(Request(job)) + b"\n")
        self._process.stdin.flush()
        outcome = msgspec.json.decode(self._process.stdout.readline(), type=Outcome)
        assert outcome.snapshot is not None, outcome.failure
        return outcome.snapshot

    def correct(self, target: str) -> Corrected:
        """The corrections of an app."""
        return correct(
            lambda texts: self.check(target, texts),
            lambda path: Path(path).read_text(),
            lambda file: os.path.join(self.folder, file),
        )


@contextmanager
def checking(folder: Path) -> Generator[Checker]:
    """A checker of the apps in a folder."""
    command = [sys.executable, "-m", "daebus.lsp.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Checker(process, folder)
