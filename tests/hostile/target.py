"""The process that is attacked, and what is looked at while it is."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx

__all__ = ["PATIENCE", "Tally", "Target", "leaks", "victim"]

PATIENCE = 20.0
"""Seconds after which an answer that does not come counts as a hang, also on a loaded machine."""

_PROJECT = Path(__file__).parents[2]
_TRACE = re.compile(rb'Traceback|File \\?"|\.py\\?"|\.py:\d|site-packages|object at 0x')


def leaks(sent: bytes) -> bool:
    """Whether bytes that a service has sent tell of its inside."""
    return _TRACE.search(sent) is not None


@dataclass
class Tally:
    """What came of an attack.

    Attributes:
        transport: What was attacked.
        inputs: How many hostile inputs were sent.
        crashes: How often the process died.
        hangs: How often an honest request, or a hostile one that had to be answered, was not.
        leaks: In how many answers something of the inside stood.
        internal: How many answers blamed the service itself: a hostile input is the sender's mistake.
        before: Megabytes of memory after the first inputs.
        after: Megabytes of memory at the end.
        seconds: How long it took.
    """

    transport: str
    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    leaks: int = 0
    internal: int = 0
    before: float = 0
    after: float = 0
    seconds: float = 0

    def look(self, answer: bytes) -> None:
        """Look at what the service has sent."""
        if leaks(answer):
            self.leaks += 1
            self._tell("leak", answer)
        if b'"internal"' in answer:
            self.internal += 1
            self._tell("internal error", answer)

    def hang(self, about: object) -> None:
        """Count a hang."""
        self.hangs += 1
        self._tell("hang", repr(about).encode())

    @property
    def is_clean(self) -> bool:
        """Whether the service withstood it; of its memory, it may keep a tenth and 8 MB, which is its allocator's."""
        flat = self.after <= self.before * 1.1 + 8
        return flat and not (self.crashes or self.hangs or self.leaks or self.internal)

    def _tell(self, what: str, about: bytes) -> None:
        if self.leaks + self.internal + self.hangs <= 20:
            sys.stderr.write(f"  {self.transport}: {what}: {about[:4000]!r}\n")


class Target:
    """A victim that runs.

    Attributes:
        port: Where it serves HTTP and WebSockets.
        redis_url: The server of its bus.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int, redis_url: str) -> None:
        self._process = process
        self.port = port
        self.redis_url = redis_url

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    def memory(self) -> float:
        """What it has in memory, in megabytes."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self._process.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0

    async def settled(self) -> float:
        """Its memory, once it grows and shrinks no more."""
        last, until = self.memory(), time.monotonic() + 5
        while time.monotonic() < until:
            await asyncio.sleep(0.5)
            now = self.memory()
            if abs(now - last) < 0.1:
                break
            last = now
        return last


@asynccontextmanager
async def victim(
    redis_url: str,
    log: Path,
    target: Sequence[str] = ("tests/hostile/victim.py:app",),
    folder: Path = _PROJECT,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> AsyncGenerator[Target]:
    """Run the victim, or another app, as a process of its own, its log in a file.

    Args:
        redis_url: The server of its bus.
        log: The file.
        target: The arguments of ``daebus run``: the app first.
        folder: Where it is run.
        extra: Variables of its environment.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = (sys.executable, "-m", "daebus", "run", *target, "--port", str(port))
    environment = {**os.environ, "DAEBUS_REDIS_URL": redis_url, "DAEBUS_LOG_LEVEL": "INFO", **extra}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, "--host", "127.0.0.1", cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        found = Target(process, port, redis_url)
        await _wait_until_served(found, log)
        yield found
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _wait_until_served(target: Target, log: Path) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(3 * PATIENCE):
        while True:
            if not target.is_alive:
                raise RuntimeError(f"The victim did not start; its log: {log}")
            try:
                await client.get(f"http://127.0.0.1:{target.port}/headers")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
