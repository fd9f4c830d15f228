"""``python -m benchmarks.instructions --before COMMIT``: the instructions of one operation, before and now.

Valgrind counts the instructions that a process executes. The count does not depend on the load of the machine, so it
shows differences that a measurement of time cannot show. Work that a process also does when it is idle depends on how
long it runs: it is measured in the same process, and subtracted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .before import build_before
from .bench import Bench, open_bench
from .environments import PROJECT, build_environments

__all__ = ["ROWS", "Counts", "Row", "compare", "main", "parse_options", "read_counts"]

_ALLOWED = 1.05
_IDLE_SECONDS = 120  # so that work that is done every 10 s counts for what it is
_RUNS = 3  # of each row: warming up, its operations, and three times as many
_MORE = 3
_ENVIRONMENT = {
    "BENCH_COUNTS": "1",  # the process tells Valgrind when to begin
    "PYTHONHASHSEED": "0",
    "DAEBUS_HUNG_AFTER": "0",
    "DAEBUS_BLOCKED_AFTER": "0",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One operation.

    Attributes:
        name: As in the table of the benchmarks.
        key: As in peers/counted_daebus.py: the operation, and for the bus how many are in flight.
        place: The process that does it, likewise: ``bus`` or ``web``.
        operations: How many are done, and then three times as many; a multiple of how many are in flight.
    """

    name: str
    key: str
    place: str
    operations: int


ROWS = (
    Row("call, one at a time", "call:1", "bus", 64),
    Row("call, 64 in flight", "call:64", "bus", 192),
    Row("call, 256 in flight", "call:256", "bus", 256),
    Row("call, 10 kB, 64 in flight", "call_10k:64", "bus", 128),
    Row("stream of 40 items, one at a time", "stream:1", "bus", 6),
    Row("stream of 40 items, 16 in flight", "stream:16", "bus", 16),
    Row("send, 64 in flight, until handled", "send:64", "bus", 192),
    Row("publish, 64 in flight, to 1 listener", "publish_1:64", "bus", 768),
    Row("publish, 64 in flight, to 10 listeners", "publish_10:64", "bus", 64),
    Row("HTTP GET, 16 connections", "get", "web", 960),
    Row("HTTP POST, 16 connections", "post", "web", 960),
    Row("WebSocket echo, 16 clients", "echo", "web", 1_280),
    Row("WebSocket broadcast to 16 clients", "broadcast", "web", 60),
)


@dataclass(frozen=True, slots=True)
class Counts:
    """The instructions that a process executes.

    Attributes:
        gross: For one operation, by row, with the work that the process does beside it.
        net: The same without that work.
        idle: For one second without any operation, by place.
    """

    gross: Mapping[str, float]
    net: Mapping[str, float]
    idle: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says. The exit code is 1 if a row takes more than 5 % more instructions than before."""
    options = parse_options(arguments)
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed: apt-get install valgrind")
    environments = build_environments(options.cache, ("daebus",))
    before = build_before(options.cache, options.before, ("daebus",))
    print(f"before: {before.commit}", flush=True)
    with open_bench(environments, options.cache / "logs", quick=True, others=False, before=before) as bench:
        assert bench.before is not None
        with ThreadPoolExecutor(options.jobs) as pool:
            counting = [
                [pool.submit(_count, side, place, rows) for place, rows in _by_place(options.rows).items()]
                for side in (bench.before, bench)
            ]
            then, now = (_joined([done.result() for done in of_side]) for of_side in counting)
    table, worse = compare(options.rows, then, now)
    print(table)
    if worse:
        raise SystemExit(1)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; its `rows` are those of `ROWS` that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--before", metavar="COMMIT", required=True, help="the commit to compare with")
    parser.add_argument("--rows", type=lambda names: names.split(","), help=",".join(row.key for row in ROWS))
    parser.add_argument("--jobs", type=int, default=2, help="processes at the same time; default: 2")
    parser.add_argument("--cache", type=Path, default=PROJECT / ".nox" / ".cache" / "bench", help="of environments")
    options = parser.parse_args(arguments)
    options.cache = options.cache.absolute()
    keys = [row.key for row in ROWS] if options.rows is None else options.rows
    if unknown := set(keys) - {row.key for row in ROWS}:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(row.key for row in ROWS)}")
    options.rows = [row for row in ROWS if row.key in keys]
    return options


def _by_place(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return {place: [row for row in rows if row.place == place] for place in dict.fromkeys(row.place for row in rows)}


def _joined(counts: Sequence[Counts]) -> Counts:
    """The counts of all places."""
    parts = ([one.gross for one in counts], [one.net for one in counts], [one.idle for one in counts])
    return Counts(*({key: n for of_place in part for key, n in of_place.items()} for part in parts))


def compare(rows: Sequence[Row], before: Counts, now: Counts) -> tuple[str, list[Row]]:
    """The table, and the rows that take more than 5 % more instructions than before, without the work when idle."""
    worse = [row for row in rows if now.net[row.key] > before.net[row.key] * _ALLOWED]
    width = max(len(row.name) for row in rows)
    head = "".join(f"  {title:>12}" for title in ("before", "now", "now ÷ before", "before", "now", "now ÷ before"))
    lines = [
        f"{'instructions':{width}}  {'without the work when idle':>40}  {'with it':>40}",
        f"{'for each operation':{width}}{head}",
    ]
    for row in rows:
        cells = (_cells(of_before[row.key], of_now[row.key]) for of_before, of_now in _both(before, now))
        lines.append(f"{row.name:{width}}{''.join(cells)}{'  WORSE' if row in worse else ''}")
    for place, idle in now.idle.items():
        name = f"idle for 1 s, {place}"
        lines.append(f"{name:{width}}{_cells(before.idle[place], idle)}")
    lines.append(f"{len(worse)} of {len(rows)} rows more than 5 % worse, without the work when idle")
    return "\n".join(lines), worse


def _both(before: Counts, now: Counts) -> tuple[tuple[Mapping[str, float], Mapping[str, float]], ...]:
    return (before.net, now.net), (before.gross, now.gross)


def _cells(before: float, now: float) -> str:
    return f"  {before:12,.0f}  {now:12,.0f}  {now / before:12.3f}"


def _count(side: Bench, place: str, rows: Sequence[Row]) -> Counts:
    """Run the rows of a place in one process below Valgrind. Raises `SystemExit` if it fails."""
    log = side.log(f"instructions-{place}")
    with TemporaryDirectory(prefix="instructions-") as folder:
        out = Path(folder) / "counts"
        command = [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--dump-before=getloadavg"),
            *("--instr-atstart=no", "--fair-sched=yes", str(side.python("daebus")), "counted_daebus.py", place),
            *(str(_IDLE_SECONDS), *(f"{row.key}={row.operations}" for row in rows)),
        ]
        with log.open("a") as output:
            environment = {**side.env, **_ENVIRONMENT, "BENCH_TIMES": f"{out}-times"}
            done = subprocess.run(command, cwd=side.peers, env=environment, stdout=output, stderr=output, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the counted process failed: see {log}")
        return read_counts(out, place, rows)


def read_counts(out: Path, place: str, rows: Sequence[Row]) -> Counts:
    """The instructions of one operation of each row, from the dumps of callgrind and the seconds before each.

    What a run costs beside its operations is the same in the two runs of a row, so their difference does not contain
    it; what the process does when it is idle is as much as it does in the seconds by which the second run is longer.
    """
    dumps = sorted(out.parent.glob(f"{out.name}.*"), key=lambda dump: int(dump.suffix[1:]))
    seconds: list[float] = json.loads(out.with_name(f"{out.name}-times").read_text())
    assert len(dumps) == len(seconds) == _RUNS * len(rows) + 2, f"{len(dumps)} dumps for {len(rows)} rows"
    *runs, _, (idle_count, idle_seconds) = zip(map(_total, dumps), seconds, strict=True)
    idle = idle_count / idle_seconds
    gross: dict[str, float] = {}
    net: dict[str, float] = {}
    for row, (count, took), (more_count, more_took) in zip(rows, runs[1::_RUNS], runs[2::_RUNS], strict=True):
        gross[row.key] = more_count / (_MORE * row.operations)
        added = more_count - count - idle * (more_took - took)
        net[row.key] = added / ((_MORE - 1) * row.operations)
    return Counts(gross, net, {place: idle})


def _total(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
    assert found, f"no totals in {dump}"
    return int(found[1])


if __name__ == "__main__":
    main()
