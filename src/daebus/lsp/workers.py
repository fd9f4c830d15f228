"""The server's side of its worker process."""

from __future__ import annotations

import asyncio
import itertools
from typing import IO

import msgspec

from .starting import Process, Start, spawn
from .worker.messages import Job, Outcome, Request

__all__ = ["Worker"]

_LIMIT = 2**28


class Worker:
    """The worker process, which is started again where it has ended.

    Args:
        start: The process that was started already, and its job; None: one is started for the first check.
    """

    def __init__(self, start: Start | None = None) -> None:
        self._process = None if start is None else start.process
        self._begun = None if start is None or start.first is None else start.first.job
        self._requests: asyncio.WriteTransport | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the process, unless it runs."""
        await self._running()

    async def check(self, job: Job) -> Outcome:
        """Do a job under a number of its own; if this is cancelled, so is the job."""
        number = next(self._numbers)
        await self._running()
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send(Request(msgspec.structs.replace(job, number=number)))
        return await self._outcome(number)

    async def begun(self, job: Job) -> Outcome | None:
        """The outcome of the job that the process began with, if it was the same; None: it was not, or it was given."""
        await self._running()
        if self._begun != job:
            return None
        self._begun = None
        return await self._outcome(job.number)

    async def _outcome(self, number: int) -> Outcome:
        future = self._waiting[number]
        try:
            return await future
        finally:
            del self._waiting[number]
            if future.cancelled():
                self._send(Request(cancel=number))

    def close(self) -> None:
        """End the process."""
        if self._requests is not None:
            self._requests.close()

    async def _running(self) -> None:
        async with self._starting:
            if self._process is None or self._process.poll() is not None:
                self._process, self._requests, self._begun = spawn(), None, None
            if self._requests is None:
                loop, process = asyncio.get_running_loop(), self._process
                self._requests, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, _pipe(process.stdin))
                outcomes = asyncio.StreamReader(limit=_LIMIT)
                if self._begun is not None:
                    self._waiting[self._begun.number] = loop.create_future()
                await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(outcomes), _pipe(process.stdout))
                self._reading = asyncio.create_task(self._read(process, outcomes))

    def _send(self, request: Request) -> None:
        if self._requests is not None and not self._requests.is_closing():
            self._requests.write(msgspec.json.encode(request) + b"\n")

    async def _read(self, process: Process, outcomes: asyncio.StreamReader) -> None:
        while line := await outcomes.readline():
            outcome = msgspec.json.decode(line, type=Outcome)
            future = self._waiting.get(outcome.number)
            if future is not None and not future.done():
                future.set_result(outcome)
        await asyncio.to_thread(process.wait)
        for number, future in list(self._waiting.items()):
            if not future.done():
                future.set_result(Outcome(number, failure="the worker process has ended"))


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101  # it was opened for this
    return stream
