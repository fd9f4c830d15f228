"""``python -m benchmarks.instructions``: the counted process works, and its counts are read right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.instructions import ROWS, Counts, compare, main, parse_options, read_counts
from benchmarks.processes import PEERS

from daebus.testing import private_redis_url


@pytest.mark.parametrize("place", ["bus", "web"])
def test_the_counted_process_does_each_row(place: str, tmp_path: Path) -> None:
    """Without Valgrind, in which it takes minutes."""
    times = tmp_path / "times"
    rows = [f"{row.key}={row.key.partition(':')[2] or 16}" for row in ROWS if row.place == place]
    environment = {**os.environ, "DAEBUS_REDIS_URL": private_redis_url(), "BENCH_TIMES": str(times)}
    command = [sys.executable, "counted_daebus.py", place, "0.1", *rows]
    done = subprocess.run(command, cwd=PEERS, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(times.read_text())) == 3 * len(rows) + 2


def test_the_work_of_an_idle_process_is_not_that_of_an_operation(tmp_path: Path) -> None:
    """1,000 instructions for each operation, 7,000 for each run, and 500 in each second."""
    rows = [row for row in ROWS if row.place == "web"]
    runs = [(n, 2.0 + n) for row in rows for n in (5, row.operations, 3 * row.operations)]
    spans = [(7_000 + 1_000 * n + 500 * took, took) for n, took in runs]
    spans += [(9_999.0, 1.0), (500 * 30.0, 30.0)]  # while it settles, and idle
    for number, (total, _) in enumerate(spans, start=1):
        (tmp_path / f"counts.{number}").write_text(f"events: Ir\nsummary: 1\n\ntotals: {total:.0f}\n")
    (tmp_path / "counts").write_text("totals: 5\n")  # after the last run
    (tmp_path / "counts-times").write_text(json.dumps([took for _, took in spans]))

    counts = read_counts(tmp_path / "counts", "web", rows)

    assert counts.net == {row.key: 1_000 for row in rows}
    assert counts.gross == {row.key: 1_500 + 8_000 / (3 * row.operations) for row in rows}
    assert counts.idle == {"web": 500}


def test_a_row_is_worse_beyond_five_percent() -> None:
    rows = ROWS[:2]
    counted = {row.key: 1_000.0 for row in rows}
    before = Counts(counted, counted, {"bus": 300.0})
    net = {rows[0].key: 1_050.0, rows[1].key: 1_051.0}

    table, worse = compare(rows, before, Counts({row.key: 2_000.0 for row in rows}, net, {"bus": 900.0}))

    assert worse == [rows[1]]
    assert [line.endswith("WORSE") for line in table.splitlines()] == [False, False, False, True, False, False]
    assert table.splitlines()[2].split()[-6:] == ["1,000", "1,050", "1.050", "1,000", "2,000", "2.000"]
    assert table.splitlines()[4].split()[-3:] == ["300", "900", "3.000"]


def test_rows_are_chosen_by_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row.key for row in parse_options(["--before", "HEAD", "--rows", "get,call:64"]).rows] == ["call:64", "get"]
    with pytest.raises(SystemExit):
        parse_options(["--before", "HEAD", "--rows", "call"])
    assert "there is no row call; there are call:1" in capsys.readouterr().err


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install valgrind"):
        main(["--before", "HEAD", "--cache", str(tmp_path)])
