"""``python -m benchmarks.instructions``: the counted process works, and its counts are read right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.instructions import ROWS, compare, main, parse_options, read_counts
from benchmarks.processes import PEERS

from daebus.testing import private_redis_url


@pytest.mark.parametrize("place", ["bus", "web"])
def test_the_counted_process_does_each_row(place: str, tmp_path: Path) -> None:
    """Without Valgrind, in which it takes minutes."""
    tally = tmp_path / "tally"
    tally.write_bytes(bytes(8))
    rows = [f"{row.key}={row.key.partition(':')[2] or 16}" for row in ROWS if row.place == place]
    environment = {**os.environ, "DAEBUS_REDIS_URL": private_redis_url(), "BENCH_TALLY": str(tally)}
    command = [sys.executable, "counted_daebus.py", place, *rows]
    done = subprocess.run(command, cwd=PEERS, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_second_dump_of_a_row_is_its_count(tmp_path: Path) -> None:
    rows = [row for row in ROWS if row.place == "web"]
    for number in range(1, 2 * len(rows) + 1):
        total = 1 if number % 2 else 1_000 * rows[number // 2 - 1].operations
        (tmp_path / f"counts.{number}").write_text(f"events: Ir\nsummary: {total}\n\ntotals: {total}\n")
    (tmp_path / "counts").write_text("totals: 5\n")  # after the last row

    assert read_counts(tmp_path / "counts", rows) == {row.key: 1_000 for row in rows}


def test_a_row_is_worse_beyond_five_percent() -> None:
    rows = ROWS[:2]
    before = {row.key: 1_000.0 for row in rows}

    table, worse = compare(rows, before, {rows[0].key: 1_050.0, rows[1].key: 1_051.0})

    assert worse == [rows[1]]
    assert [line.endswith("WORSE") for line in table.splitlines()] == [False, False, True, False]


def test_rows_are_chosen_by_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row.key for row in parse_options(["--before", "HEAD", "--rows", "get,call:64"]).rows] == ["call:64", "get"]
    with pytest.raises(SystemExit):
        parse_options(["--before", "HEAD", "--rows", "call"])
    assert "there is no row call; there are call:1" in capsys.readouterr().err


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install valgrind"):
        main(["--before", "HEAD", "--cache", str(tmp_path)])
