"""Child processes that serve, connected to their parent so that each side notices the end of the other.

They are connected by a socket pair. Over it the child reports that it serves, and then sends heartbeats of its event
loop. On a signal, it also sends the stack of each of its threads, even while the GIL is held. Only the parent holds the
parent's end, so the end of the stream tells the child that the parent has exited, even by kill -9.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from daebus.core.environment import WORKER_VARIABLE
from daebus.payloads.codec import encode
from daebus.telemetry.logs import make_logger

__all__ = ["Child", "Started", "Tether"]

_SPARE_SECONDS = 4.3
"""Seconds that a stopping process may take beyond the time limit of its service for work in flight."""

_BEAT = b"\n"
_BEAT_SECONDS = 0.5

_TELL_STACK = signal.SIGQUIT
_STACK_TICK, _STACK_TICKS = 0.1, 10


class Started(msgspec.Struct):
    """The report of a child when it serves.

    Attributes:
        service: The name of its service.
        port: The TCP port of its HTTP; None: it has no HTTP.
        stop_timeout: Seconds from the request to stop until its work in flight is cancelled.
        hung_after: Seconds without progress of its event loop after which it counts as hung; 0: never.
    """

    service: str
    port: int | None = None
    stop_timeout: float = 30.0
    hung_after: float = 0.0


_decode = msgspec.json.Decoder(Started).decode


class Tether:
    """The child's end. If the parent exits, this process stops as on SIGTERM, and is killed if that takes too long.

    Args:
        descriptor: The file descriptor from the parent, given with ``--tether``.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)  # noqa: FBT003
        self._patience = _SPARE_SECONDS
        faulthandler.register(_TELL_STACK, file=descriptor)
        threading.Thread(target=self._watch, name="daebus-tether", daemon=True).start()

    def report(self, started: Started) -> None:
        """Report that this process serves; from now on the calling event loop sends heartbeats."""
        self._patience = started.stop_timeout + _SPARE_SECONDS
        with suppress(OSError):  # the parent has exited, and this process will soon
            self._socket.sendall(encode(started) + b"\n")
        self._beat(asyncio.get_running_loop())

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(OSError):  # or the parent does not listen now
            self._socket.send(_BEAT, socket.MSG_DONTWAIT)
        loop.call_later(_BEAT_SECONDS, self._beat, loop)

    def _watch(self) -> None:
        with suppress(OSError):
            while self._socket.recv(1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._patience)
        os._exit(1)


class Child:
    """The parent's end: a process that runs a command of daebus. Make it with `start`.

    Attributes:
        pid: Its process id.
        beats: The number of heartbeats of its event loop.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid: int = process.pid
        self.beats: int = 0
        self._process = process
        self._report = asyncio.create_task(reader.readline())
        self._stack: list[bytes] = []
        self._writer = writer
        self._listening = asyncio.create_task(self._listen(reader))

    @classmethod
    async def start(cls, arguments: Sequence[str], *, apart: bool, worker: str = "") -> Child:
        """Start ``daebus ARGUMENTS``, a command that takes ``--tether``.

        Args:
            arguments: The command line.
            apart: Whether it is detached from the terminal: it gets no Ctrl-C and cannot read from it.
            worker: The value of `WORKER_VARIABLE`; empty: it is no worker.
        """
        ours, theirs = socket.socketpair()
        # Opened first, so that nothing can fail between the start of the process and the return.
        ends = await asyncio.open_connection(sock=ours)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "daebus", *arguments, "--tether", str(theirs.fileno())],
                stdin=subprocess.DEVNULL if apart else None,
                process_group=0 if apart else None,
                pass_fds=[theirs.fileno()],
                env={**os.environ, WORKER_VARIABLE: worker},
            )
        return cls(process, *ends)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        await asyncio.wait({self._report})
        with suppress(OSError):  # it ended abruptly, without closing its end
            while line := await reader.readline():
                if line == _BEAT and not self._stack:
                    self.beats += 1
                else:
                    self._stack.append(line)

    async def started(self) -> Started | None:
        """Wait until it serves, and return its report; None if it ended before."""
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({self._report, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        return self._said()

    def _said(self) -> Started | None:
        line = self._report.result() if self._report.done() else b""
        return _decode(line) if line else None

    async def wait(self) -> str:
        """Wait until it has ended; returns in words how it ended."""
        code = await self._process.wait()
        self._writer.close()
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    @property
    def exit_code(self) -> int:
        """The exit code of an ended process, as a shell shows it."""
        code = self._process.returncode or 0
        return code if code >= 0 else 128 - code

    async def stack(self) -> str:
        """The stack of each of its threads, innermost call first, even if it hangs. Empty: not available."""
        self._stack.clear()
        self._send(_TELL_STACK)
        told = -1
        for _ in range(_STACK_TICKS):
            await asyncio.sleep(_STACK_TICK)
            if len(self._stack) == told:
                break
            told = len(self._stack) or -1
        text = b"".join(self._stack).decode(errors="replace").strip()
        self._stack.clear()
        return text

    async def stop(self) -> bool:
        """Ask it to stop and wait; kill it after its time limit. Returns whether it ended cleanly."""
        self._send(signal.SIGTERM)
        started = self._said()
        work_seconds = 0.0 if started is None else started.stop_timeout
        try:
            async with asyncio.timeout(work_seconds + _SPARE_SECONDS):
                await self.wait()
        except TimeoutError:
            stack = await self.stack()
            make_logger().critical("process killed, as it did not stop in time", pid=self.pid, stack=stack)
            self.kill()
            await self.wait()
        # A process that has just started is ended by the signal itself.
        return self._process.returncode == 0 or (started is None and self._process.returncode == -signal.SIGTERM)

    def kill(self) -> None:
        """Kill it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it ended
            self._process.send_signal(number)
