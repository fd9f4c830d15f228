"""The start: the worker process and the first check begin before the server is loaded, which takes most of the start.

This module loads nothing slow.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from subprocess import PIPE
from typing import IO

import msgspec
from typing_extensions import Buffer, override

from .options import Options, read_options
from .targets import Target, find_targets
from .uris import path_of
from .worker.messages import Job, Request

__all__ = ["FRESH", "First", "Process", "Start", "begin", "first_job", "spawn"]

FRESH = 2_000_000_000
"""How old a file must be, in ns, for its compiled form to be certainly its own: Python compares whole seconds."""

_LENGTH = re.compile(rb"^Content-Length: *(\d+)\r?$", re.IGNORECASE | re.MULTILINE)

Process = subprocess.Popen[bytes]


def spawn() -> Process:
    """Start a worker process."""
    # Without the current folder among the folders of modules: the code in it changes.
    return Process([sys.executable, "-P", "-m", "daebus.lsp.worker"], stdin=PIPE, stdout=PIPE)


class First(msgspec.Struct, frozen=True):
    """What the first message of the editor has led to.

    Attributes:
        folders: The folders of the workspace.
        targets: The apps in them.
        job: The check that has begun; None: none has.
        began: When it began, in ns.
    """

    folders: Sequence[str]
    targets: Sequence[Target]
    job: Job | None
    began: int


class Start(msgspec.Struct, frozen=True):
    """A start.

    Attributes:
        process: The worker process.
        stdin: What the editor sends, from its first message on.
        first: What its first message has led to; None: it was not understood.
    """

    process: Process
    stdin: io.BufferedReader
    first: First | None


class _Folder(msgspec.Struct, frozen=True):
    uri: str


class _Params(msgspec.Struct, frozen=True, rename="camel"):
    root_uri: str | None = None
    workspace_folders: Sequence[_Folder] | None = None
    initialization_options: object = None


class _Initialize(msgspec.Struct, frozen=True, tag_field="method", tag="initialize"):
    params: _Params


def begin() -> Start:
    """Start the worker, wait for the first message of the editor on stdin, and begin the check that it asks for."""
    process = spawn()
    stdin = io.BufferedReader(io.FileIO(0, closefd=False))
    header, body = _read(stdin)
    first = _first(body)
    if first is not None and first.job is not None and process.stdin is not None:
        with suppress(BrokenPipeError):  # the server starts another worker
            process.stdin.write(msgspec.json.encode(Request(first.job)) + b"\n")
            process.stdin.flush()
    return Start(process, io.BufferedReader(_Again(header + body, stdin)), first)


def _read(stdin: IO[bytes]) -> tuple[bytes, bytes]:
    """The header and the body of a message."""
    header = b""
    while line := stdin.readline():
        header += line
        if not line.strip():
            break
    length = _LENGTH.search(header)
    return header, stdin.read(int(length[1])) if length else b""


def _first(body: bytes) -> First | None:
    try:
        params = msgspec.json.decode(body, type=_Initialize).params
    except ValueError:
        return None
    uris = [folder.uri for folder in params.workspace_folders or ()] or [params.root_uri or ""]
    folders = [path_of(uri) for uri in uris if uri]
    began = time.time_ns()
    targets = find_targets(folders)
    job = None
    # Of many apps, those come first whose files are open in the editor, which it has not said yet.
    if len(targets) == 1 and os.stat(targets[0].source).st_mtime_ns < began - FRESH:
        job = first_job(folders, targets[0], read_options(params.initialization_options))
    return First(folders, targets, job, began)


def first_job(folders: Sequence[str], target: Target, options: Options) -> Job:
    """The check of an app as it is on disk."""
    return Job(
        number=0,
        root=target.root,
        folders=folders,
        target=target.name,
        service=target.service,
        buffers={},
        seconds=options.seconds,
        megabytes=options.megabytes,
    )


class _Again(io.RawIOBase):
    """What was read, again, and then the rest of a stream."""

    def __init__(self, read: bytes, rest: io.BufferedReader[io.FileIO]) -> None:
        self._read = io.BytesIO(read)
        self._rest = rest

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        data = self._read.read(len(view)) or self._rest.read1(len(view))
        view[: len(data)] = data
        return len(data)
