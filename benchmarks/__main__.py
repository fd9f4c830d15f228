"""``python -m benchmarks``: build the environments, measure everything, print the table."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from .before import build_before
from .bench import Bench, open_bench
from .bus import bus_cases
from .cases import Case, Result, run_case
from .chart import draw
from .checking import checking_cases
from .comparison import show_changes
from .environments import OURS, PROJECT, build_environments
from .http import http_cases
from .injection import injection_cases
from .memory import memory_cases
from .process import process_cases
from .report import as_json, read_setting, show_case, show_goals, show_setting
from .websocket import websocket_cases

_GROUPS: dict[str, Callable[[Bench], AbstractContextManager[list[Case]]]] = {
    "bus": bus_cases,
    "http": http_cases,
    "websocket": websocket_cases,
    "injection": injection_cases,
    "process": process_cases,
    "memory": memory_cases,
    "checking": checking_cases,
}
_OF_DAEBUS = ("bus", "http", "websocket", "injection")
"""The groups that measure daebus at an earlier commit, and daebus alone."""

_RESULTS = PROJECT / "benchmarks" / "results"


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    options = parse_options(arguments)
    print(f"Environments in {options.cache} …", flush=True)
    environments = build_environments(options.cache) if options.others else build_environments(options.cache, OURS)
    before = build_before(options.cache, options.before, OURS) if options.before else None
    setting = read_setting(
        environments, quick=options.quick, rounds=options.rounds, seconds=options.seconds, before=before
    )
    print(show_setting(setting), "", sep="\n", flush=True)
    started = time.monotonic()
    logs = options.cache / "logs"
    with open_bench(environments, logs, quick=options.quick, others=options.others, before=before) as bench:
        results = [result for name in options.only for result in _run_group(bench, name, options)]
    print(show_goals(results), f"measured in {time.monotonic() - started:.0f} s", sep="\n")
    if before is not None:
        print("", show_changes(results), "", sep="\n")
    _write(options.json, as_json(setting, results))
    facts = setting.facts
    _write(options.svg, draw(results, f"{facts['run']}; {facts['date']}; {facts['machine']}"))


def _run_group(bench: Bench, name: str, options: argparse.Namespace) -> list[Result]:
    results: list[Result] = []
    with _GROUPS[name](bench) as cases:
        for case in cases:
            result = run_case(case, rounds=options.rounds, seconds=options.seconds)
            print(show_case(result), flush=True)
            results.append(result)
    return results


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with what it leaves to us filled in."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.3 s and fewer sizes: some two minutes")
    parser.add_argument("--only", type=lambda names: names.split(","), help=",".join(_GROUPS))
    parser.add_argument("--before", metavar="COMMIT", help="measure daebus as it was at this commit beside it")
    parser.add_argument("--peers", choices=("all", "none"), default="all", help="none: daebus alone")
    parser.add_argument("--rounds", type=int, help="default: 5, quick: 3")
    parser.add_argument("--seconds", type=float, help="of one measurement; default: 1, quick: 0.3")
    parser.add_argument("--json", type=Path, default=_RESULTS / "latest.json", help="where the figures go")
    parser.add_argument("--svg", type=Path, default=_RESULTS / "latest.svg", help="where the chart goes")
    parser.add_argument("--cache", type=Path, default=PROJECT / ".nox" / ".cache" / "bench", help="of environments")
    options = parser.parse_args(arguments)
    options.others = options.peers == "all"
    groups = list(_GROUPS) if options.others else list(_OF_DAEBUS)
    options.only = options.only or groups
    if unknown := set(options.only) - set(groups):
        found = f"there are {', '.join(groups)}" + ("" if options.others else " with --peers none")
        parser.error(f"there is no group {', '.join(sorted(unknown))}; {found}")
    options.cache = options.cache.absolute()  # the peers run in other folders
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.3 if options.quick else 1.0)
    return options


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(path)


if __name__ == "__main__":
    main()
