"""A process that is forked runs a program as a Python that starts anew does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.preloaded import Forked, can_fork, start
from tests.processes import launched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")

TELL = """
import os, sys
modules = [name for name in sys.modules if name.split(".")[0] in ("daebus", "tests")]
main = sys.modules["__main__"]
print(sys.argv, sys.orig_argv[1:], sys.path[0], modules)
print(__name__, main.__dict__ is globals(), globals().get("__file__"), globals().get("__package__"))
print(os.getcwd(), sorted(os.environ), sys.warnoptions, sys.stdin.read(), sys.flags, flush=True)
print("told", file=sys.stderr)
"""
RAISES = "def fail():\n    raise LookupError('nobody')\n\nfail()\n"
EXITS = """
import atexit, sys, threading
atexit.register(print, "at exit")
threading.Timer(0.1, print, ["later"]).start()
sys.exit(7)
"""
WAITS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("ready", flush=True)
time.sleep(60)
"""
KILLED = "import os\nos.kill(os.getpid(), 9)"


ENVIRONMENT = {**os.environ, "OTHER": "1", "PYTHONWARNINGS": "error::ResourceWarning"}


def forked(command: Sequence[str], folder: Path) -> tuple[int, str, str]:
    output, errors = folder / "output", folder / "errors"
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        process = start(command, cwd=folder, environment=ENVIRONMENT, stdout=stdout, stderr=stderr)
        assert isinstance(process, Forked)
        code = process.wait(30)
    return code, output.read_text(), errors.read_text()


def started(command: Sequence[str], folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("program", [TELL, RAISES, EXITS, KILLED], ids=["tells", "raises", "exits", "killed"])
@pytest.mark.parametrize("way", ["-c", "-m", "script"])
def test_it_runs_a_program_as_a_new_python_does(program: str, way: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, *{"-c": ["-c", program], "-m": ["-m", "program"], "script": ["program.py"]}[way], "--x"]
    found, expected = forked(command, tmp_path), started(command, tmp_path)
    assert found[:2] == expected[:2]
    # With -m, a new Python shows lines of its own, too.
    assert found[2] == expected[2] or (way == "-m" and found[2].splitlines()[-1] == expected[2].splitlines()[-1])


def test_options_of_python_itself_start_it_anew() -> None:
    assert not can_fork((sys.executable, "-W", "ignore", "-m", "daebus"))
    assert not can_fork(("valkey-server",))


def test_it_gets_signals_and_is_killed_after_the_test() -> None:
    command = (sys.executable, "-c", WAITS)
    with launched(*command) as first, launched(*command) as second:
        assert isinstance(first.process, Forked)
        for service in (first, second):
            while "ready" not in service.output():
                assert service.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            first.process.wait(0.01)
        assert first.stop() == 3
    assert second.process.wait() == -signal.SIGKILL
