"""Check the models: ``python -m tests.model [--only lease] [--large] [--trace]``. Prints a table; see README.md."""

from __future__ import annotations

import argparse
import subprocess
import sys

from .checker import Found, check, missing_tools
from .runs import LARGE, RUNS, Run


def main() -> int:
    """Search, and print a table; 1 if a model does not behave as stated."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--only", default="", help="only runs with this text in the name of the model or in the title")
    parser.add_argument("--large", action="store_true", help="the large searches, which take up to an hour")
    parser.add_argument("--trace", action="store_true", help="print the way to each mistake that is found")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long one search may take")
    asked = parser.parse_args()
    if missing := missing_tools():
        sys.stderr.write(f"the model checker needs {' and '.join(missing)}\n")
        return 2
    runs = [run for run in (LARGE if asked.large else RUNS) if asked.only in f"{run.model} {run.title}"]
    _tell("| model | searched | result | states | seconds |\n|---|---|---|---:|---:|")
    wrong = [run.title for run in runs if not _told(run, asked.seconds, traces=asked.trace)]
    _tell(f"\n{len(runs) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _told(run: Run, seconds: float, *, traces: bool) -> bool:
    """Run one search and print its row; whether the model behaves as stated."""
    try:
        found = check(run.model, run.constants, seconds)
    except subprocess.TimeoutExpired:
        _tell(f"| {run.model} | {run.title} | **not finished** | | > {seconds:.0f} |")
        return False
    is_right = found.problem == run.finds
    _tell(f"| {run.model} | {run.title} | {_result(run, found)} | {found.states:,} | {found.seconds:.1f} |")
    if found.trace and (traces or not is_right):
        _tell("\n".join(f"    {step}" for step in found.trace))
    return is_right


def _result(run: Run, found: Found) -> str:
    if found.problem is None:
        return "holds" if run.finds is None else f"**not found**: {run.finds}"
    steps = f"{found.problem}, after {len(found.trace)} steps"
    return f"found: {steps}" if found.problem == run.finds else f"**violated**: {steps}"


if __name__ == "__main__":
    sys.exit(main())
