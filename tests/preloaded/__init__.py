"""Processes that do not import their libraries anew: a Python that has loaded them forks each of them.

Most of the time that a service takes to start goes into the import of Litestar, redis-py and the like. daebus itself is
never loaded beforehand, nor anything of the tests: each process imports it, and reads its own environment, as usual.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO

__all__ = ["Forked", "can_fork", "start"]

_SERVER = Path(__file__).with_name("server.py")
_START_SECONDS = 60.0


class Forked:
    """A process that was forked, with what `subprocess.Popen` has.

    Attributes:
        pid: Its process id.
        returncode: As that of `subprocess.Popen`, as soon as `poll` or `wait` has seen the end.
    """

    def __init__(self, command: Sequence[str], status: socket.socket) -> None:
        self.returncode: int | None = None
        self._command = command
        self._status = status
        self._lock = threading.Lock()
        self._said = b""
        pid = self._next_number(_START_SECONDS)
        assert pid is not None, "it was not forked"
        self.pid: int = pid

    def _next_number(self, timeout: float | None) -> int | None:
        """What the server says of it next; None: nothing in this time."""
        while b"\n" not in self._said:
            if not self._says_something(timeout):
                return None
            got = self._status.recv(64)
            assert got, f"the server of {self._command} has ended"
            self._said += got
        number, _, self._said = self._said.partition(b"\n")
        return int(number)

    def _says_something(self, timeout: float | None) -> bool:
        """Wait for the server; `select` takes no descriptor from 1024 on, which a process with many sockets has."""
        waiting = select.poll()
        waiting.register(self._status, select.POLLIN)
        return bool(waiting.poll(None if timeout is None else 1000 * timeout))

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        with self._lock:
            if self.returncode is None:
                self.returncode = self._next_number(0.0)
                if self.returncode is not None:
                    self._status.close()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            self._says_something(timeout)  # without the lock, as others may poll
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._command, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and the server has not yet told
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
    stdin: IO[bytes] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes] | Forked:
    """Start a process: forked if `can_fork`.

    Args:
        command: Its command line.
        environment: All its variables.
        stdout: Its output.
        stderr: Its errors.
        stdin: Its input; None: none.
        cwd: Its working directory; None: the present one.
    """
    with ExitStack() as stack:
        given = stdin or stack.enter_context(Path(os.devnull).open("rb"))
        if not can_fork(command):
            return subprocess.Popen(command, cwd=cwd, env=environment, stdin=given, stdout=stdout, stderr=stderr)
        ours, theirs = socket.socketpair()
        with theirs:
            ours.sendall(json.dumps([command[1:], str(cwd or Path.cwd()), dict(environment)]).encode() + b"\n")
            descriptors = [file.fileno() for file in (given, stdout, stderr, theirs)]
            socket.send_fds(_server(_variables(environment)), [b"."], descriptors)
        return Forked(command, ours)


def can_fork(command: Sequence[str]) -> bool:
    """Whether a command runs a program in this Python, without options of Python itself."""
    python, *arguments = command
    return (
        sys.platform == "linux"
        and python == sys.executable
        and (arguments[0] in ("-c", "-m") or not arguments[0].startswith("-"))
    )


def _variables(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What Python and its libraries read before the program runs: a server has these variables."""
    prefixes = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "PATH", "HOME")
    return tuple(sorted(item for item in environment.items() if item[0].startswith(prefixes)))


@cache
def _server(environment: tuple[tuple[str, str], ...]) -> socket.socket:
    """The connection to a server, which has these variables."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(_SERVER), str(theirs.fileno())],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    @atexit.register
    def end() -> None:
        ours.close()
        process.kill()
        process.wait()

    return ours
