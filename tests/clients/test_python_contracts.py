"""The exported module of contracts has no mistakes for a strict type checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import TORTURE
from tests.processes import DAEBUS, EXAMPLES


def test_mypy_takes_the_module(tmp_path: Path) -> None:
    file = tmp_path / "torture_contracts.py"
    subprocess.run([*DAEBUS, "export", "python", TORTURE, "-o", str(file)], cwd=EXAMPLES.parent, check=True)
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(file)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "Success: no issues found in 1 source file\n")
