"""The processes of a run: replicas, of which each can be replaced, and clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from tests.support import until

from .records import Recorder

__all__ = ["START_SECONDS", "Member", "client_command", "service_command"]

_ROOT = Path(__file__).parents[3]
START_SECONDS = 60.0
_LAPSE = "cut off for longer than its lease"


class Member:
    """A process of a run.

    Attributes:
        name: Its name in the history.
        process: The process.
        stopping: Whether it was told to stop.
        is_gone: Whether its end is recorded.
    """

    def __init__(self, name: str, folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DAEBUS_", "HISTORY_"))}
        known = {"HISTORY_FOLDER": str(folder), "HISTORY_PROCESS": name}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env={**kept, **environment, **known},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.stopping = self.is_gone = False

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    async def started(self) -> None:
        """Wait until it serves."""

        def is_ready() -> bool:
            assert self.is_running, f"{self.name} ended:\n{self._log.read_text()}"
            return any(line.get("event") == "service started" for line in self.lines())

        await until(is_ready, START_SECONDS)

    def lines(self) -> Iterator[dict[str, object]]:
        """What it has logged."""
        whole = self._log.read_bytes().rpartition(b"\n")[0].splitlines()
        return (msgspec.json.decode(line) for line in whole if line.startswith(b"{"))

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self.is_running:
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def record_lapses(self, recorder: Recorder) -> None:
        """Put into the history what it has logged of its lapses."""
        offset = time.monotonic() - time.time()
        for line in self.lines():
            if str(line.get("event", "")).startswith(_LAPSE):
                at = _seconds(str(line["timestamp"])) + offset
                recorder.add("lapse", process=self.name, seconds=float(str(line["seconds"])), at=at)


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def service_command(url: str) -> Sequence[str]:
    """The command that runs a replica on the servers at `url`."""
    service = "tests.chaos.histories.service:app"
    return (sys.executable, "-m", "daebus", "run", service, "--redis-url", url)


def client_command(url: str, **options: object) -> Sequence[str]:
    """The command that runs a client."""
    given = (part for name, value in options.items() for part in (f"--{name}", str(value)))
    return (sys.executable, "-m", "tests.chaos.histories.client", url, *given)
