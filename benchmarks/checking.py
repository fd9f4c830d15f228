"""What the mypy plugin adds to a run of mypy."""

from __future__ import annotations

import resource
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .bench import Bench
from .cases import Case, Goal, Measure, PeerError, Sample
from .environments import PROJECT

__all__ = ["checking_cases"]

_EXAMPLES = PROJECT / "examples"
_SETTINGS = f"""
[mypy]
strict = True
explicit_package_bases = True
mypy_path = {PROJECT / "typings"}:{":".join(str(path) for path in sorted(_EXAMPLES.iterdir()) if path.is_dir())}
plugins = {{}}
"""


@contextmanager
def checking_cases(bench: Bench) -> Generator[list[Case]]:
    """Give the case; each measurement is a run of mypy without a cache, in processor time, as that is steadier."""
    yield [
        Case(
            "mypy over examples/, no cache",
            "s",
            {"with the plugin": _checking(bench, "daebus.mypy"), "without it": _checking(bench, "")},
            subject="with the plugin",
            lower_is_better=True,
            goals={"without it": Goal(at_most=1.1)},
            rounds=2 if bench.quick else 7,
        )
    ]


def _checking(bench: Bench, plugins: str) -> Measure:
    def measure(_: float) -> Sample:
        with tempfile.TemporaryDirectory(dir=bench.folder, prefix="mypy-") as folder:
            settings = Path(folder) / "mypy.ini"
            settings.write_text(_SETTINGS.format(plugins))
            options: tuple[str | Path, ...] = ("--config-file", settings, "--cache-dir", folder)
            command = [bench.python("types"), "-m", "mypy", *options, _EXAMPLES]
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        if done.returncode != 0:
            raise PeerError(f"mypy finds mistakes: {(done.stdout or done.stderr).splitlines()[0]}")
        return Sample(spent)

    return measure
