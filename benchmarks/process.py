"""What a process costs before it works: importing, and starting up to the first reply."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError, check_output

from .bench import Bench
from .cases import Case, Goal, Measure, PeerError, Sample
from .processes import PEERS, driver

__all__ = ["process_cases"]

_LIBRARIES, _RUNNING = "its libraries without it", "daebus, with what runs it"
_ITS_LIBRARIES = (
    "daebus",
    "dependency_injector.containers, dependency_injector.providers, msgspec, structlog, redis.asyncio",
)
_IMPORTS = {
    "daebus": ("daebus", "daebus; daebus.Daebus"),  # its names are loaded when they are first used
    _LIBRARIES: _ITS_LIBRARIES,
    "Litestar": ("daebus", "litestar"),
    "FastStream, Redis": ("faststream", "faststream.redis"),
    "FastAPI": ("web", "fastapi"),
    "daebus 0.0.31": ("daebus-0.0.31", "daebus"),
}
_IMPORTS_TO_RUN = {
    _RUNNING: ("daebus", "daebus; daebus.Daebus; import daebus.app.running.runner"),  # among it redis-py
    _LIBRARIES: _ITS_LIBRARIES,
}
_TIMED = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


@contextmanager
def process_cases(bench: Bench) -> Generator[list[Case]]:
    """Give the cases; each measurement starts a process of its own."""
    yield [
        Case(
            "import",
            "ms",
            {name: _importing(bench, *what) for name, what in _IMPORTS.items()},
            lower_is_better=True,
            goals={_LIBRARIES: Goal(at_most=1.25)},
        ),
        Case(
            "import, with all that runs a service of the bus",
            "ms",
            {name: _importing(bench, *what) for name, what in _IMPORTS_TO_RUN.items()},
            subject=_RUNNING,
            lower_is_better=True,
        ),
        Case(
            "from start to first reply",
            "s",
            _startups(bench),
            lower_is_better=True,
            goals={"daebus": Goal(at_most=1.0)},
        ),
    ]


def _importing(bench: Bench, environment: str, modules: str) -> Measure:
    def measure(_: float) -> Sample:
        command = [str(bench.python(environment)), "-c", _TIMED.format(modules)]
        try:
            return Sample(float(check_output(command, text=True, cwd=bench.folder)) * 1000)
        except CalledProcessError as error:
            raise PeerError(f"cannot be imported: {error}") from error

    return measure


def _startups(bench: Bench) -> dict[str, Measure]:
    return {
        "daebus": _starting(bench, "daebus", "startup_daebus.py", embedded=True),
        "daebus, server running": _starting(bench, "daebus", "startup_daebus.py"),
        "FastStream, server running": _starting(bench, "faststream", "startup_faststream.py"),
    }


def _starting(bench: Bench, environment: str, script: str, *, embedded: bool = False) -> Measure:
    def measure(_: float) -> Sample:
        command = (bench.python(environment), PEERS / script)
        with tempfile.TemporaryDirectory(dir=bench.folder, prefix="project-") as folder:
            (Path(folder) / "pyproject.toml").touch()  # the engine's data is the project's
            env = {**bench.env, "BENCH_STARTED": str(time.monotonic()), "DAEBUS_EMBEDDED": "1"}
            if embedded:
                del env["DAEBUS_REDIS_URL"]
            with driver(command, log=bench.log(script), env=env, cwd=Path(folder)) as started:
                return Sample(started.read(20)["seconds"])

    return measure
