"""The history: what each process did, in a file of its own, which a kill of the process or of the server leaves whole.

All processes run on one machine, so the times of all files are on one clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

__all__ = ["FILES", "Record", "Recorder", "What", "read", "recorder_of_process"]

What: TypeAlias = Literal[
    "invoke",
    "ok",
    "fail",
    "unknown",
    "start",
    "effect",
    "end",
    "lease",
    "fault",
    "healed",
    "stopping",
    "died",
    "starved",
    "lapse",
    "letter",
]

FILES = "*.history"
"""The files of one run, in one folder."""


class Record(msgspec.Struct, omit_defaults=True):
    """Something that happened.

    Attributes:
        at: When, in seconds of `time.monotonic`.
        process: The process that wrote it, or that it is about.
        what: ``invoke`` of an operation, and its outcome as its caller saw it: ``ok``, ``fail`` (it was surely not
            taken) or ``unknown``. ``start`` and ``end`` of a run of a handler, and its ``effect``. ``lease``: a
            replica began. ``fault``: something is broken from now on, until it is ``healed``. ``stopping`` and
            ``died`` of a process. ``starved``: a process did not get to run although nothing was injected.
            ``lapse``: the process has logged that it was cut off. ``letter``: a dead letter.
        id: The operation, the run, or the fault.
        subject: What the operation is about: all operations with one idempotency key have one subject, every other
            operation has its own.
        kind: The kind of the operation or of the fault.
        value: The reply, or what the run replied.
        code: The error's code; for the end of a run: ``ok``, ``error`` or ``cancelled``.
        targets: Whom a fault hits; empty: all.
        seconds: How long it lasted until now: the lapse, or the starvation; or the lease.
    """

    at: float
    process: str
    what: What
    id: str = ""
    subject: str = ""
    kind: str = ""
    value: str = ""
    code: str = ""
    targets: tuple[str, ...] = ()
    seconds: float = 0.0


class Recorder:
    """Writes the history of one process.

    A record is with the kernel when `add` returns, and survives a kill of the process.

    Attributes:
        process: The process.
    """

    def __init__(self, folder: Path, process: str) -> None:
        self.process = process
        self._file = os.open(folder / f"{process}.history", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(  # one parameter for each field
        self,
        what: What,
        id: str = "",  # noqa: A002  # as the record calls it
        *,
        subject: str = "",
        kind: str = "",
        value: str = "",
        code: str = "",
        process: str = "",
        targets: tuple[str, ...] = (),
        seconds: float = 0.0,
        at: float | None = None,
    ) -> None:
        """Write a record; see `Record`."""
        when = time.monotonic() if at is None else at
        record = Record(when, process or self.process, what, id, subject, kind, value, code, targets, round(seconds, 3))
        os.write(self._file, msgspec.json.encode(record) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def recorder_of_process() -> Recorder:
    """The recorder of this process, as its parent has named it."""
    return Recorder(Path(os.environ.get("HISTORY_FOLDER", "/tmp")), os.environ.get("HISTORY_PROCESS", "process"))


_decode: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode


def read(folder: Path) -> list[Record]:
    """All records of a run, by time. An unfinished last line is not read."""
    return sorted(_records(folder), key=lambda record: record.at)


def _records(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.glob(FILES)):
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        yield from map(_decode, whole.splitlines())
