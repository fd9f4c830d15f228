"""The proxy's process, as its parent sees it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec

from .proxy import Command, Mode

__all__ = ["Proxies", "open_proxies"]


class Proxies:
    """What the proxy can be told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def serve(self, port: int, target: int) -> None:
        """Stand before the server at a port."""
        await self._tell(Command("serve", port=port, target=target))

    async def know(self, name: str, pid: int) -> None:
        """This is the name of a process."""
        await self._tell(Command("know", name, pid=pid))

    async def set(self, name: str, mode: Mode, *, delay: float = 0.0, connection: int | None = None) -> None:
        """Treat the connections of a process so from now on."""
        await self._tell(Command("set", name, mode=mode, delay=delay, connection=connection))

    async def cut(self, name: str, connection: int | None = None) -> None:
        """Break connections."""
        await self._tell(Command("cut", name, connection=connection))

    async def _tell(self, command: Command) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(msgspec.json.encode(command) + b"\n")
            answer = await self._process.stdout.readline()
        assert answer == b"done\n", answer


@asynccontextmanager
async def open_proxies() -> AsyncGenerator[Proxies]:
    """Run a proxy in a process of its own."""
    command = (sys.executable, "-m", "tests.chaos.histories.proxy")
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Proxies(process)
    finally:
        process.kill()
        await process.wait()
