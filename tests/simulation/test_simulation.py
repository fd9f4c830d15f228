"""Simulated services: the same seed gives the same course of events, and no seed breaks a promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SEEDS, _CHUNKS = 200, 4


def _simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, cwd=_ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_a_seed_that_is_run_again_takes_the_same_course() -> None:
    first, again, other = _simulate("--seed", "7"), _simulate("--seed", "7"), _simulate("--seed", "8")
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    assert first.stdout != other.stdout


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_no_seed_breaks_a_promise(chunk: int) -> None:
    count = _SEEDS // _CHUNKS
    done = _simulate("--first", str(1 + chunk * count), "--count", str(count))
    assert done.returncode == 0, f"{done.stdout}\nrun one again: python -m tests.simulation --seed N\n{done.stderr}"
