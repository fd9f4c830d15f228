"""Services and the command line as users run them: as processes, whose log lines tell what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import msgspec
from tests.preloaded import Forked, start
from tests.support import until

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
DAEBUS = (sys.executable, "-m", "daebus")

Line = dict[str, object]


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAEBUS_")}
    return {**kept, "PYTHONWARNINGS": "error::ResourceWarning", **extra}


class Service:
    """A process that serves."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, output: Path, log: Path) -> None:
        self.process = process
        self._output = output
        self._log = log

    def lines(self, event: str | None = None, **fields: object) -> list[Line]:
        """Its log lines, those with this event and these fields only."""
        lines = [_parse(line) for line in self._log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        wanted = fields if event is None else {"event": event, **fields}
        return [line for line in lines if wanted.items() <= line.items()]

    def wait_for(self, event: str, **fields: object) -> Line:
        """Block until it has logged such a line."""
        end = time.monotonic() + 45  # on a busy machine a process is long in starting
        while not (found := self.lines(event, **fields)):
            assert self.process.poll() is None, f"it ended:\n{self.text()}"
            assert time.monotonic() < end, f"no line {event!r} in:\n{self.text()}"
            time.sleep(0.02)
        return found[0]

    async def logged(self, event: str, **fields: object) -> Line:
        await until(lambda: bool(self.lines(event, **fields)))
        return self.lines(event, **fields)[0]

    def problems(self) -> list[Line]:
        return [line for line in self.lines() if line.get("level") not in ("info", "debug")]

    def text(self) -> str:
        return self._log.read_text()

    def output(self) -> str:
        return self._output.read_text()

    @property
    def port(self) -> int:
        port = self.wait_for("listening", protocol="http")["port"]
        assert isinstance(port, int)
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sockets(self, query: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}/ws{query}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(15)


def _parse(line: bytes) -> Line:
    try:
        return msgspec.json.decode(line, type=Line)
    except msgspec.DecodeError:
        return {"event": line.decode(errors="replace").rstrip(), "level": "stderr"}


@contextmanager
def launched(*command: str, cwd: Path = EXAMPLES.parent, **environment: str) -> Generator[Service]:
    """Start a process; it is killed where the test has not stopped it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        output, log = folder / "stdout", folder / "stderr"
        stdout, stderr = stack.enter_context(output.open("ab")), stack.enter_context(log.open("ab"))
        process = start(command, cwd=cwd, environment=_environment(environment), stdout=stdout, stderr=stderr)
        stack.callback(process.wait)
        try:
            yield Service(process, output, log)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def serving(
    target: str, *options: str, redis_url: str, cwd: Path = EXAMPLES.parent, **environment: str
) -> Generator[Service]:
    """``daebus run`` on a free port; it must stop well at the end."""
    command = (*DAEBUS, "run", target, "--host", "127.0.0.1", "--port", "0", *options)
    with launched(*command, cwd=cwd, DAEBUS_REDIS_URL=redis_url, **environment) as service:
        service.wait_for("service started")
        yield service
        if service.process.poll() is None:
            assert service.stop() == 0, service.text()
            assert service.output() == ""


def ran(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a process to its end, as `subprocess.run` does: forked, if it can be.

    Args:
        *command: Its command line.
        cwd: Its working directory.
        environment: Variables besides those of this process; default: none.
    """
    with TemporaryFile() as output, TemporaryFile() as errors:
        variables = {**os.environ, **(environment or {})}
        process = start(command, cwd=cwd, environment=variables, stdout=output, stderr=errors)
        try:
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, code, output.read().decode(), errors.read().decode())


class Outcome(msgspec.Struct):
    code: int
    output: str
    errors: str


async def daebus(*arguments: str, redis_url: str, stdin: bytes = b"", cwd: Path = EXAMPLES.parent) -> Outcome:
    """Run the command line, to its end."""
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        process = start(
            (*DAEBUS, *arguments),
            cwd=cwd,
            environment=_environment({"DAEBUS_REDIS_URL": redis_url}),
            stdin=given,
            stdout=output,
            stderr=errors,
        )
        try:
            await until(lambda: process.poll() is not None, 60)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        errors.seek(0)
        assert process.returncode is not None
        return Outcome(process.returncode, output.read().decode(), errors.read().decode())
