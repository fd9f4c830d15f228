"""The server's side of its worker process."""

from __future__ import annotations

import asyncio
import itertools
import sys
from asyncio.subprocess import PIPE, Process

import msgspec

from .worker.messages import Job, Outcome, Request

__all__ = ["Worker"]

_LIMIT = 2**28


class Worker:
    """The worker process: started at the first check, and again where it has ended."""

    def __init__(self) -> None:
        self._process: Process | None = None
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
        process = await self._running()
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send(process, Request(msgspec.structs.replace(job, number=number)))
        try:
            return await future
        finally:
            del self._waiting[number]
            if future.cancelled():
                self._send(process, Request(cancel=number))

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                command = (sys.executable, "-m", "daebus.lsp.worker")
                self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=_LIMIT)
                self._reading = asyncio.create_task(self._read(self._process))
            return self._process

    def _send(self, process: Process, request: Request) -> None:
        if process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(msgspec.json.encode(request) + b"\n")

    async def _read(self, process: Process) -> None:
        output = process.stdout
        while output is not None and (line := await output.readline()):
            outcome = msgspec.json.decode(line, type=Outcome)
            future = self._waiting.get(outcome.number)
            if future is not None and not future.done():
                future.set_result(outcome)
        await process.wait()
        for number, future in list(self._waiting.items()):
            if not future.done():
                future.set_result(Outcome(number, failure="the worker process has ended"))
