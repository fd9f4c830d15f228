"""What the peers share, standard library only: the ledger of a service, and the steady rate of a sender."""

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

WORK_SECONDS = 0.1
LEASE_MS = 2_000

_ledger = os.open(os.environ.get("CHAOS_LEDGER", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def work(number: int) -> None:
    """Work, and write it down."""
    _note("begin", number)
    await asyncio.sleep(WORK_SECONDS)
    _note("end", number)


def _note(what: str, number: int) -> None:
    os.write(_ledger, f"{what} send {number} {time.monotonic():.6f}\n".encode())


async def until_stopped() -> None:
    """Say that the service is there, and wait for SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print('{"event": "listening", "port": 1}', file=sys.stderr, flush=True)
    await stop.wait()


async def send_all(send: Callable[[int], Awaitable[object]]) -> None:
    """Send at the rate of the command line, and write down what was taken."""
    rate, seconds, taken = float(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5])
    numbers, tasks, began = itertools.count(), set(), time.monotonic()
    places = asyncio.Semaphore(256)  # some peers fail for want of connections where more are under way
    with taken.open("w", buffering=1) as file:  # noqa: ASYNC230  # a line now and then

        async def one() -> None:
            number = next(numbers)
            async with places:
                await send(number)
            file.write(f"{number}\n")

        due = 0
        while (now := time.monotonic() - began) < seconds:
            while due < now * rate:
                due += 1
                task = asyncio.create_task(one())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.005)
        if tasks:
            await asyncio.wait(tasks)
