"""The processes of both worlds: a server on TCP, which is all that 0.0.31 can reach, services, and an old caller."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from redis import Redis
from tests.engines import Engine, free_port

__all__ = ["OLD_PYTHON", "OldCaller", "OldService", "old_caller", "old_service", "tcp_engine"]

HERE = Path(__file__).parent
OLD_PYTHON = "DAEBUS_OLD_PYTHON"
"""The environment variable that names the interpreter with daebus 0.0.31."""


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def process(*command: str, pipes: bool = False, log: IO[str] | None = None) -> Generator[subprocess.Popen[str]]:
    inherited = {name: os.environ[name] for name in os.environ if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
    pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
    running = subprocess.Popen(command, cwd=HERE, env=inherited, stdin=pipe, stdout=pipe, stderr=log, text=True)
    with running:
        try:
            yield running
        finally:
            running.kill()


def wait_for(port: int) -> None:
    end = time.monotonic() + 15
    while not answers(port):
        assert time.monotonic() < end, "it did not start"
        time.sleep(0.01)


def wait_until_heard(redis_port: int) -> None:
    """It listens on its ports before it hears requests."""
    end = time.monotonic() + 15
    with closing(cast("Any", Redis)(port=redis_port)) as redis:
        while dict(redis.pubsub_numsub("users"))[b"users"] == 0:
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.01)


@contextmanager
def tcp_engine(port: int | None = None) -> Generator[int]:
    """A server of its own; its port."""
    with TemporaryDirectory() as folder, Engine(Path(folder), port=port) as engine:
        yield engine.port


@dataclass(frozen=True)
class OldService:
    """old_service.py under 0.0.31."""

    http: int
    websocket: int
    log: Path


@contextmanager
def old_service(redis_port: int) -> Generator[OldService]:
    """Start it."""
    http, websocket = free_port(), free_port()
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        command = (os.environ[OLD_PYTHON], "old_start.py", str(redis_port), str(http), str(websocket))
        with process(*command, log=log):
            wait_for(http)
            wait_for(websocket)
            wait_until_heard(redis_port)
            yield OldService(http, websocket, Path(log.name))


class OldCaller:
    """A `DaebusCaller` of 0.0.31, in a process of its own."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running
        self.answer()

    def ask(self, action: str, payload: object, **options: object) -> Any:
        return self.do("ask", action=action, payload=payload, **options)

    def do(self, what: str, **job: object) -> Any:
        self.start(what, **job)
        return self.answer()

    def start(self, what: str, **job: object) -> None:
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps({"do": what, **job}) + "\n")
        self._running.stdin.flush()

    def answer(self) -> Any:
        assert self._running.stdout is not None
        return json.loads(self._running.stdout.readline())


@contextmanager
def old_caller(redis_port: int, service: str = "users") -> Generator[OldCaller]:
    with process(os.environ[OLD_PYTHON], "old_caller.py", service, str(redis_port), pipes=True) as running:
        yield OldCaller(running)
