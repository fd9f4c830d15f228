"""Replicas of the service as processes, and the ledger of what they did."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from tests.preloaded import start

__all__ = ["Fleet", "Ledger", "Replica", "Run", "daebus_service"]

_SERVICE = Path(__file__).with_name("service.py")
_START_SECONDS = 120.0
_SIZE = 3
_NOTHING: Mapping[str, str] = {}


class Run(msgspec.Struct):
    """One run of a handler.

    Attributes:
        process: The name of the replica's process.
        began: In seconds of `time.monotonic`.
        ended: Likewise; None: it never did.
    """

    process: str
    began: float
    ended: float | None = None


class Replica:
    """A process of the service."""

    def __init__(self, name: str, folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAEBUS_")}
        with self._log.open("ab") as log, Path(os.devnull).open("wb") as nowhere:
            self.process = start(
                command,
                environment={**kept, **environment, "CHAOS_LEDGER": str(folder / f"{name}.ledger")},
                stdout=nowhere,
                stderr=log,
            )

    def lines(self) -> list[dict[str, object]]:
        """What it has logged."""
        whole = self._log.read_bytes().rpartition(b"\n")[0].splitlines()
        return [msgspec.json.decode(line) for line in whole if line.startswith(b"{")]

    @property
    def port(self) -> int | None:
        """Where it listens for HTTP, once it does."""
        ports = [line["port"] for line in self.lines() if line.get("event") == "listening"]
        return int(str(ports[0])) if ports else None

    def wait(self) -> None:
        """Block until it serves."""
        deadline = time.monotonic() + _START_SECONDS
        while self.port is None:
            assert self.process.poll() is None, f"{self.name} ended:\n{self._log.read_text()}"
            assert time.monotonic() < deadline, f"{self.name} did not start:\n{self._log.read_text()}"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


def daebus_service(url: str, program: Path = _SERVICE) -> tuple[str, ...]:
    """The command that runs the service, or another program, on the server at `url`."""
    return (sys.executable, "-m", "daebus", "run", f"{program}:app", "--redis-url", url)


class Fleet:
    """Some replicas, of which each can be replaced.

    Attributes:
        environment: The environment variables of those that are made from now on.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], environment: Mapping[str, str] = _NOTHING, *, size: int = _SIZE
    ) -> None:
        self._folder = folder
        self._command = command
        self.environment = environment
        self._made = 0
        self.all: list[Replica] = []
        self.replicas: list[Replica] = [self._make() for _ in range(size)]

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self.all:
            if replica.process.poll() is None:
                replica.process.kill()
            replica.process.wait()

    def wait(self) -> None:
        """Block until all of them serve."""
        for replica in self.replicas:
            replica.wait()

    def kill(self, replica: Replica) -> None:
        """Kill one, and start another in its place."""
        replica.process.kill()
        replica.process.wait()
        self.replace(replica)

    def replace(self, replica: Replica) -> Replica:
        """Start another in the place of one that has ended, or is about to."""
        made = self.replicas[self.replicas.index(replica)] = self._make()
        return made

    def ledger(self) -> Ledger:
        """What all of them have done so far."""
        return Ledger(self._folder)

    def _make(self) -> Replica:
        self._made += 1
        replica = Replica(f"replica-{self._made}", self._folder, self._command, self.environment)
        self.all.append(replica)
        return replica


class Ledger:
    """What the replicas have done, by kind and number."""

    def __init__(self, folder: Path) -> None:
        self.runs: dict[tuple[str, int], list[Run]] = defaultdict(list)
        for path in sorted(folder.glob("*.ledger")):
            for line in path.read_text().splitlines():
                what, kind, number, at = line.split()
                runs = self.runs[kind, int(number)]
                if what == "begin":
                    runs.append(Run(path.stem, float(at)))
                else:
                    last = [run for run in runs if run.process == path.stem][-1]
                    last.ended = float(at)
        for runs in self.runs.values():
            runs.sort(key=lambda run: run.began)

    def ended(self, kind: str) -> set[int]:
        """What was handled to its end."""
        return {number for (of, number), runs in self.runs.items() if of == kind and any(run.ended for run in runs)}

    def repeated(self) -> dict[tuple[str, int], list[Run]]:
        """What was begun more than once."""
        return {key: runs for key, runs in self.runs.items() if len(runs) > 1}

    def longest_stall(self, since: float, until: float) -> float:
        """The longest time, in seconds, in which nothing was handled to its end."""
        ends = sorted(run.ended for run in self._all() if run.ended is not None and since <= run.ended <= until)
        return max((after - before for before, after in zip([since, *ends], [*ends, until], strict=True)), default=0.0)

    def _all(self) -> Iterator[Run]:
        for runs in self.runs.values():
            yield from runs
