"""What all peers share, standard library only: a driver takes jobs as JSON lines and answers each with one.

A service (``python PEER serve URL``) runs until it is terminated. A driver (``python PEER drive URL``) stands beside
it, in a process of its own, and is what is measured: its operations run so many at a time for so many seconds.
"""

import asyncio
import json
import mmap
import os
import signal
import statistics
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

Operation = Callable[[], Awaitable[object]]

_READY_SECONDS = 30.0
_LOST_SECONDS = 5.0
_BACKLOG = 1_000  # deliveries that are owed at most: more would measure whose queue is the longest
_TURN = 0.0005

# Whatever a framework prints goes to the log; only answers go to the runner.
_answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Tally:
    """A number in a file that a service counts up and its driver reads: how many messages were handled."""

    def __init__(self) -> None:
        path = Path(os.environ["BENCH_TALLY"])
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    @property
    def value(self) -> int:
        return struct.unpack_from("<q", self._memory)[0]

    def add(self) -> None:
        struct.pack_into("<q", self._memory, 0, struct.unpack_from("<q", self._memory)[0] + 1)


def main(serve: Callable[[str], Awaitable[None]], drive: Callable[[str], Awaitable[None]]) -> None:
    """Be what the command line says."""
    asyncio.run({"serve": serve, "drive": drive}[sys.argv[1]](sys.argv[2]))


async def until_stopped() -> None:
    """Wait for SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def say(answer: Mapping[str, object]) -> None:
    _answers.write(json.dumps(answer) + "\n")


async def answer_jobs(answer: Callable[[dict], Awaitable[Mapping[str, object]]]) -> None:
    """Answer jobs until there are no more."""
    say({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(await answer(json.loads(line)))


async def drive(operations: Mapping[str, Operation]) -> None:
    """Wait until the first operation works, then run operations as the jobs say."""
    await _wait_for(next(iter(operations.values())))
    tally = Tally()

    async def answer(job: dict) -> Mapping[str, object]:
        load = _Load(operations[job["operation"]], tally, job.get("hearers", 0))
        return await load.run(job["in_flight"], job["seconds"])

    await answer_jobs(answer)


async def _wait_for(operation: Operation) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            await asyncio.wait_for(operation(), 1.0)
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return


class _Load:
    def __init__(self, operation: Operation, tally: Tally, hearers: int) -> None:
        self._operation = operation
        self._tally = tally
        self._hearers = hearers
        self._before = 0
        self._took: list[float] = []
        self._failed = 0
        self._error = ""

    async def run(self, in_flight: int, seconds: float) -> Mapping[str, object]:
        self._before = self._tally.value
        started = time.perf_counter()
        await self._repeat_all(in_flight, started, seconds)
        lost = await self._lost() if self._hearers else 0
        elapsed = time.perf_counter() - started
        return {
            "rate": (len(self._took) * (self._hearers or 1) - lost) / elapsed,
            "elapsed": elapsed,
            "p50": statistics.median(self._took or [0.0]),
            "failed": self._failed + lost,
            "error": self._error,
        }

    async def _repeat_all(self, in_flight: int, started: float, seconds: float) -> None:
        """Repeat so many at a time. What has no outcome long after the end has failed: it ends no later job."""
        repeating = [asyncio.create_task(self._repeat(started + seconds)) for _ in range(in_flight)]
        _, stuck = await asyncio.wait(repeating, timeout=seconds + _LOST_SECONDS)
        for task in stuck:
            task.cancel()
            self._failed += 1
            self._error = f"no outcome {_LOST_SECONDS:g} s after the end"
        await asyncio.wait(repeating)

    async def _repeat(self, deadline: float) -> None:
        clock, operation = time.perf_counter, self._operation
        before = clock()
        while before < deadline:
            try:
                await operation()
            except Exception as error:
                self._failed += 1
                self._error = repr(error)
                before = clock()
            else:
                after = clock()
                self._took.append(after - before)
                before = await self._hold_back(deadline) if self._hearers else after

    @property
    def _owed(self) -> int:
        """What is not handled yet."""
        return self._before + len(self._took) * self._hearers - self._tally.value

    async def _hold_back(self, deadline: float) -> float:
        while self._owed > _BACKLOG and time.perf_counter() < deadline:  # noqa: ASYNC110  # another process
            await asyncio.sleep(_TURN)
        return time.perf_counter()

    async def _lost(self) -> int:
        """Wait until all that was sent is handled, or nothing more comes."""
        last, since = self._owed, time.monotonic()
        while (owed := self._owed) > 0:
            if owed != last:
                last, since = owed, time.monotonic()
            if time.monotonic() - since > _LOST_SECONDS:
                return owed
            await asyncio.sleep(_TURN)
        return 0
