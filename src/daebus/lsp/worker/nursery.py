"""The nursery: a process that has loaded daebus and installed modules, and forks one process for each check."""

from __future__ import annotations

import importlib
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from daebus.checking.snapshot import Snapshot

from .messages import Job, Outcome, Request
from .preloading import installed_since, preload
from .sandbox import enter

__all__ = ["Nursery"]

_CHUNK = 2**16
_LENGTH = 8


class _Report(msgspec.Struct, frozen=True):
    """What a child reports: its snapshot, and the installed modules that it has loaded."""

    snapshot: msgspec.Raw
    modules: Sequence[str]


class _Checked(msgspec.Struct, frozen=True):
    """An `Outcome` whose snapshot is passed on as it is."""

    number: int
    snapshot: msgspec.Raw


class _Child(msgspec.Struct):
    """A process that checks, and what it has written so far: the length of its report, then the report."""

    job: Job
    pid: int
    pipe: int
    ends: float
    written: bytearray

    def report(self) -> _Report | None:
        """The report; None: it is not complete."""
        length = int.from_bytes(self.written[:_LENGTH], "big")
        complete = len(self.written) >= _LENGTH + length > _LENGTH
        return msgspec.json.decode(self.written[_LENGTH : _LENGTH + length], type=_Report) if complete else None


class Nursery:
    """Does jobs, several at once, until its input ends.

    Args:
        requests: The descriptor from which it reads requests.
        outcomes: The descriptor to which it writes outcomes.
        check: What a forked process calls.
        ahead: Modules that most checks need; they are loaded while there is nothing else to do.
    """

    def __init__(
        self, requests: int, outcomes: int, check: Callable[[Job], Snapshot], ahead: Sequence[str] = ()
    ) -> None:
        self._requests = requests
        self._outcomes = outcomes
        self._check = check
        self._ahead = list(ahead)
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._unread = bytearray()
        self._wanted: dict[str, None] = {}

    def run(self) -> None:
        """Serve until the input ends; then the checks in progress are ended."""
        self._selector.register(self._requests, selectors.EVENT_READ)
        try:
            while self._step():
                pass
        finally:
            for child in list(self._children.values()):
                self._end(child)

    def _step(self) -> bool:
        """Wait for the next event and handle it. Returns whether the input goes on."""
        events = self._selector.select(self._patience())
        if not events and self._ahead and not self._children:
            importlib.import_module(self._ahead.pop(0))
        for key, _ in events:
            if key.fd == self._requests:
                if not self._read_requests():
                    return False
            elif key.fd in self._children:
                self._read_child(self._children[key.fd])
        if self._wanted and not self._children:
            preload([name for name in self._wanted if name not in sys.modules])
            self._wanted.clear()
        now = time.monotonic()
        for child in [child for child in self._children.values() if child.ends <= now]:
            self._end(child)
            self._tell(Outcome(child.job.number, failure=f"it took longer than {child.job.seconds:g} s"))
        return True

    def _patience(self) -> float | None:
        """For how many seconds to wait for the next event."""
        if self._ahead and not self._children:
            return 0.0
        ends = min((child.ends for child in self._children.values()), default=None)
        return None if ends is None else max(0.0, ends - time.monotonic())

    def _read_requests(self) -> bool:
        read = os.read(self._requests, _CHUNK)
        self._unread += read
        *lines, rest = self._unread.split(b"\n")
        self._unread = bytearray(rest)
        for line in lines:
            request = msgspec.json.decode(line, type=Request)
            for child in [child for child in self._children.values() if child.job.number == request.cancel]:
                self._end(child)
                self._tell(Outcome(child.job.number, failure="it was cancelled"))
            if request.job is not None:
                self._start(request.job)
        return bool(read)

    def _start(self, job: Job) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(self._requests)
            os.close(self._outcomes)
            _be_child(job, writing, self._check)
        os.close(writing)
        self._children[reading] = _Child(job, pid, reading, time.monotonic() + job.seconds, bytearray())
        self._selector.register(reading, selectors.EVENT_READ)

    def _read_child(self, child: _Child) -> None:
        read = os.read(child.pipe, _CHUNK)
        child.written += read
        report = child.report()
        if report is not None:
            self._end(child)
            self._tell(_Checked(child.job.number, report.snapshot))
            self._wanted.update(dict.fromkeys(report.modules))
        elif not read:
            self._tell(Outcome(child.job.number, failure=f"the import ended its process: {self._end(child)}"))

    def _end(self, child: _Child) -> str:
        """End a child and all that it has started. Returns how it ended."""
        del self._children[child.pipe]
        self._selector.unregister(child.pipe)
        os.close(child.pipe)
        early, status = os.waitpid(child.pid, os.WNOHANG)
        for end in (os.killpg,) if early else (os.killpg, os.kill):
            with suppress(ProcessLookupError):  # it has left nothing, or does not lead its group yet
                end(child.pid, signal.SIGKILL)
        if not early:
            _, status = os.waitpid(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def _tell(self, outcome: Outcome | _Checked) -> None:
        line = memoryview(msgspec.json.encode(outcome) + b"\n")
        while line:
            line = line[os.write(self._outcomes, line) :]


def _be_child(job: Job, pipe: int, check: Callable[[Job], Snapshot]) -> None:
    """Check, write the report, and end, whatever the user's code has left behind."""
    log = os.dup(2)
    try:
        enter(job.seconds, job.megabytes)
        known = frozenset(sys.modules)
        snapshot = msgspec.Raw(msgspec.json.encode(check(job)))
        report = msgspec.json.encode(_Report(snapshot, installed_since(known)))
        with open(pipe, "wb") as out:
            out.write(len(report).to_bytes(_LENGTH, "big") + report)
        os._exit(0)
    except BaseException:  # a child must never become a second nursery
        os.write(log, traceback.format_exc().encode())
        os._exit(1)
