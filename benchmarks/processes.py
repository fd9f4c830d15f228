"""The processes of the peers: services that run until they are stopped, drivers that answer jobs."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from .cases import PeerError

__all__ = ["PEERS", "Driver", "cpu_of", "driver", "free_port", "memory_of", "process", "wait_for_port"]

PEERS = Path(__file__).resolve().parent / "peers"

_STOP_SECONDS = 5.0
_READY_SECONDS = 40.0
_ANSWER_SECONDS = 60.0
_FIRST_PORT, _PORTS = 32_000, 768

Job = Mapping[str, object]


@contextmanager
def process(
    command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], pipes: bool = False, cwd: Path = PEERS
) -> Generator[subprocess.Popen[str]]:
    """Run a program, its stderr in `log`, and end it: by SIGTERM, later by SIGKILL."""
    pipe = subprocess.PIPE if pipes else None
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DAEBUS_")}
    with log.open("a") as errors:
        running = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**inherited, **env},
            stdin=pipe or subprocess.DEVNULL,
            stdout=pipe or errors,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        for stream in (running.stdin, running.stdout):
            if stream is not None:
                stream.close()


class Driver:
    """A process that answers each job with one line of JSON."""

    def __init__(self, running: subprocess.Popen[str], log: Path) -> None:
        self._running = running
        self._log = log
        self._jobs, self._answers = cast("IO[str]", running.stdin), cast("IO[str]", running.stdout)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._running.pid

    def wait_until_ready(self) -> None:
        """Raises `PeerError` where it does not become ready."""
        self.read(_READY_SECONDS)

    def ask(self, job: Job) -> Mapping[str, float]:
        """Give it a job. Raises `PeerError` where it does not answer."""
        try:
            self._jobs.write(json.dumps(job) + "\n")
            self._jobs.flush()
        except OSError as error:
            raise PeerError(f"ended: see {self._log}") from error
        return self.read(_ANSWER_SECONDS)

    def read(self, seconds: float) -> Mapping[str, float]:
        """Its next line. Raises `PeerError`."""
        if not select.select([self._answers], [], [], seconds)[0]:
            raise PeerError(f"gave no answer within {seconds:g} s: see {self._log}")
        line = self._answers.readline()
        if not line:
            raise PeerError(f"ended: see {self._log}")
        return cast("Mapping[str, float]", json.loads(line))


@contextmanager
def driver(command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path = PEERS) -> Generator[Driver]:
    """Run a driver; it need not be ready yet."""
    with process(command, log=log, env=env, pipes=True, cwd=cwd) as running:
        yield Driver(running, log)


def free_port() -> int:
    """A TCP port that nobody has now, below those that outgoing connections get."""
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port


def wait_for_port(port: int, running: subprocess.Popen[str], log: Path) -> None:
    """Wait until somebody listens. Raises `PeerError`."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if running.poll() is not None:
            raise PeerError(f"ended: see {log}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise PeerError(f"does not listen: see {log}")


def memory_of(pid: int) -> float:
    """The memory of a process and its children in MiB (PSS). Raises `PeerError` where the system does not tell."""
    return sum(_pss(member) for member in _family(pid)) / 1024


def cpu_of(pid: int) -> float:
    """The seconds of CPU that a process and its children have taken, all their threads. Raises `PeerError` likewise."""
    return sum(_ran(thread) for member in _family(pid) for thread in Path(f"/proc/{member}/task").iterdir())


def _ran(thread: Path) -> float:
    try:
        return int((thread / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0  # it has just ended


def _family(pid: int) -> set[int]:
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has just ended
    if not parents:
        raise PeerError("needs Linux, whose /proc tells what a process takes")
    family = {pid}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
    return family


def _pss(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
