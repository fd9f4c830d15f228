"""``python -m benchmarks.instructions --before COMMIT``: the instructions of one operation, before and now.

Valgrind counts the instructions that a process executes. The count does not depend on the load of the machine, so it
shows differences that a measurement of time cannot show.
"""

from __future__ import annotations

import argparse
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

__all__ = ["ROWS", "Row", "compare", "main", "parse_options", "read_counts"]

_ALLOWED = 1.05
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
        operations: How many are counted; all that are in flight together must fit into it.
    """

    name: str
    key: str
    place: str
    operations: int


ROWS = (
    Row("call, one at a time", "call:1", "bus", 96),
    Row("call, 64 in flight", "call:64", "bus", 448),
    Row("call, 256 in flight", "call:256", "bus", 512),
    Row("call, 10 kB, 64 in flight", "call_10k:64", "bus", 256),
    Row("stream of 40 items, one at a time", "stream:1", "bus", 8),
    Row("stream of 40 items, 16 in flight", "stream:16", "bus", 16),
    Row("send, 64 in flight, until handled", "send:64", "bus", 448),
    Row("publish, 64 in flight, to 1 listener", "publish_1:64", "bus", 448),
    Row("publish, 64 in flight, to 10 listeners", "publish_10:64", "bus", 128),
    Row("HTTP GET, 16 connections", "get", "web", 320),
    Row("HTTP POST, 16 connections", "post", "web", 320),
    Row("WebSocket echo, 16 clients", "echo", "web", 320),
    Row("WebSocket broadcast to 16 clients", "broadcast", "web", 20),
)


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
            counts = [{key: n for done in of_side for key, n in done.result().items()} for of_side in counting]
    table, worse = compare(options.rows, *counts)
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


def compare(rows: Sequence[Row], before: Mapping[str, float], now: Mapping[str, float]) -> tuple[str, list[Row]]:
    """The table, and the rows that take more than 5 % more instructions than before."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'instructions per operation':{width}}  {'before':>12}  {'now':>12}  now ÷ before"]
    worse: list[Row] = []
    for row in rows:
        ratio = now[row.key] / before[row.key]
        if ratio > _ALLOWED:
            worse.append(row)
        mark = "  WORSE" if row in worse else ""
        lines.append(f"{row.name:{width}}  {before[row.key]:12,.0f}  {now[row.key]:12,.0f}  {ratio:12.3f}{mark}")
    lines.append(f"{len(worse)} of {len(rows)} rows more than 5 % worse")
    return "\n".join(lines), worse


def _count(side: Bench, place: str, rows: Sequence[Row]) -> dict[str, float]:
    """Run the rows of a place in one process below Valgrind. Raises `SystemExit` if it fails."""
    log = side.log(f"instructions-{place}")
    with TemporaryDirectory(prefix="instructions-") as folder:
        out = Path(folder) / "counts"
        command = [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--dump-before=getloadavg"),
            *("--instr-atstart=no", "--fair-sched=yes", str(side.python("daebus")), "counted_daebus.py", place),
            *(f"{row.key}={row.operations}" for row in rows),
        ]
        with log.open("a") as output:
            environment = {**side.env, **_ENVIRONMENT}
            done = subprocess.run(command, cwd=side.peers, env=environment, stdout=output, stderr=output, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the counted process failed: see {log}")
        return read_counts(out, rows)


def read_counts(out: Path, rows: Sequence[Row]) -> dict[str, float]:
    """The instructions of one operation of each row, from the dumps of callgrind: the second of the two of each row."""
    dumps = sorted(out.parent.glob(f"{out.name}.*"), key=lambda dump: int(dump.suffix[1:]))
    assert len(dumps) == 2 * len(rows), f"{len(dumps)} dumps for {len(rows)} rows"
    counts: dict[str, float] = {}
    for row, dump in zip(rows, dumps[1::2], strict=True):
        found = re.search(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
        assert found, f"no totals in {dump}"
        counts[row.key] = int(found[1]) / row.operations
    return counts


if __name__ == "__main__":
    main()
