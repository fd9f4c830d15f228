"""The service whose history is recorded. It can be told, on its standard input, to hang in several ways."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from daebus import Action, Channel, Daebus, Settings, StreamAction
from daebus.core.context import current_context

from .records import recorder_of_process

__all__ = ["CALL", "EVENTS", "SERVICE", "STOP_TIMEOUT", "STREAM", "THREAD", "WORK", "Work", "app"]

SERVICE = "histories"


class Work(msgspec.Struct):
    """What a handler is to do.

    Attributes:
        subject: What it is about.
        seconds: How long it takes.
        failures: How often it fails in one process before it succeeds; -1: it kills its process.
    """

    subject: str
    seconds: float = 0.1
    failures: int = 0


WORK = Action[Work, str]("work", service=SERVICE)
CALL = Action[Work, str]("call", service=SERVICE)
THREAD = Action[Work, str]("thread", service=SERVICE)
STREAM = StreamAction[Work, str]("stream", service=SERVICE)
EVENTS = Channel[Work]("histories", durable=True)

STOP_TIMEOUT = 3.0
"""Seconds that work in flight may take when a replica stops."""

_LEASE = float(os.environ.get("HISTORY_LEASE", "2"))
_LATE = 0.2  # of a lease
_ITEMS = 5
_KEEP_SECONDS = 7200.0
"""Longer than the clock is ever set forward: keys expire by it."""


app = Daebus(
    SERVICE,
    settings=Settings(
        lease=_LEASE,
        stop_timeout=STOP_TIMEOUT,
        max_concurrency=64,
        partitions=int(os.environ.get("HISTORY_PARTITIONS", "1")),
    ),
)
_recorder = recorder_of_process()
_numbers = itertools.count(1)
_failures: Counter[str] = Counter()


class _Run:
    """A run of a handler, as a block that records its start and its end."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.id = f"{_recorder.process}/{next(_numbers)}"

    def __enter__(self) -> _Run:
        context = current_context.get()
        fence = "" if context is None else context.fence or ""
        _recorder.add("start", self.id, subject=self._work.subject, value=fence)
        return self

    def has_effect(self) -> None:
        """Do what the handler is for; fails if it is to fail."""
        if self._work.failures < 0:
            _recorder.add("died", code=str(-signal.SIGKILL))
            os.kill(os.getpid(), signal.SIGKILL)
        if _failures[self._work.subject] < self._work.failures:
            _failures[self._work.subject] += 1
            raise RuntimeError("as it was told")
        _recorder.add("effect", self.id, subject=self._work.subject)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        code = "ok" if kind is None else "error" if issubclass(kind, Exception) else "cancelled"
        _recorder.add("end", self.id, subject=self._work.subject, code=code, value=self.id)


async def _do(work: Work) -> str:
    with _Run(work) as run:
        await asyncio.sleep(work.seconds / 2)
        run.has_effect()
        await asyncio.sleep(work.seconds / 2)
    return run.id


@app.action(WORK, retries=2, backoff=0.2)
async def work(work: Work) -> str:
    return await _do(work)


@app.action(CALL, keep_replies=_KEEP_SECONDS)
async def call(work: Work) -> str:
    return await _do(work)


@app.listen(EVENTS, name="listener")
async def on_event(work: Work) -> None:
    await _do(work)


@app.action(THREAD)
def thread(work: Work) -> str:
    with _Run(work) as run:
        time.sleep(work.seconds / 2)
        run.has_effect()
        time.sleep(work.seconds / 2)
    return run.id


@app.action(STREAM)
async def stream(work: Work) -> AsyncIterator[str]:
    with _Run(work) as run:
        run.has_effect()
        for _ in range(_ITEMS):
            await asyncio.sleep(work.seconds / _ITEMS)
            yield run.id


@app.on_start()
async def start() -> None:
    _recorder.add("lease", seconds=_LEASE)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_obey, args=[loop], daemon=True).start()
    threading.Thread(target=_witness, daemon=True).start()


def _obey(loop: asyncio.AbstractEventLoop) -> None:
    """Hang as a line says: ``gil 2.5`` or ``loop 2.5``."""
    for line in sys.stdin:
        what, seconds = line.split()
        if what == "gil":  # a C function that does not release it
            ctypes.PyDLL(None).usleep(int(float(seconds) * 1e6))
        else:
            loop.call_soon_threadsafe(time.sleep, float(seconds))


def _witness() -> None:
    """Tell when the machine let this process wait: without that, a lapse on a busy machine could not be understood."""
    pause = _LEASE * _LATE / 2
    before = time.monotonic()
    while True:
        time.sleep(pause)
        now = time.monotonic()
        if now - before > pause + _LEASE * _LATE:
            _recorder.add("starved", seconds=now - before, at=now)
        before = now
