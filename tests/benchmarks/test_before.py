"""``nox -s bench -- --before COMMIT``: daebus as it was at a commit takes part beside daebus as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from benchmarks.__main__ import parse_options
from benchmarks.before import Before, unpack_commit
from benchmarks.bench import Bench, open_bench
from benchmarks.bus import bus_cases
from benchmarks.cases import Case, Measure, Result, Sample, run_case
from benchmarks.comparison import changes, show_changes
from benchmarks.environments import OURS, Environment
from benchmarks.http import http_cases
from benchmarks.processes import PEERS

HERE = Environment("daebus", Path(sys.prefix))
ENVIRONMENTS = {"daebus": HERE, "daebus-uvloop": Environment("daebus-uvloop", Path("/none"), "not built for this test")}


def git(project: Path, *arguments: str) -> str:
    me = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    done = subprocess.run(["git", *me, *arguments], check=True, capture_output=True, text=True, cwd=project)
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose first commit has other scripts than its second."""
    folder = tmp_path / "project"
    peers = folder / "benchmarks" / "peers"
    peers.mkdir(parents=True)
    git(folder, "init", "-q")
    for number in (1, 2):
        for name in ("bus_daebus.py", "driving.py"):
            (peers / name).write_text(f"# {number}")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"commit {number}")
    return folder


def test_a_commit_brings_its_own_scripts_and_is_measured_with_the_instruments_of_today(
    project: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # the second time it lies there already
        peers = unpack_commit(project, "HEAD~1", tmp_path / "cache") / "benchmarks" / "peers"
        assert (peers / "bus_daebus.py").read_text() == "# 1"
        assert (peers / "driving.py").read_text() == (PEERS / "driving.py").read_text()

    assert (project / "benchmarks" / "peers" / "driving.py").read_text() == "# 2"
    assert git(project, "status", "--porcelain") == ""
    assert len(git(project, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize(("commit", "reason"), [("nonsense", "no such commit"), ("HEAD", "to measure it with")])
def test_a_commit_that_cannot_be_measured_is_refused(project: Path, tmp_path: Path, commit: str, reason: str) -> None:
    git(project, "rm", "-q", "benchmarks/peers/bus_daebus.py")
    git(project, "commit", "-q", "-m", "without scripts")

    with pytest.raises(SystemExit, match=reason):
        unpack_commit(project, commit, tmp_path / "cache")


def test_without_other_peers_only_groups_that_measure_daebus_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_options(["--peers", "none"]).only == ["bus", "http", "websocket", "injection"]
    assert "memory" in parse_options([]).only

    with pytest.raises(SystemExit):
        parse_options(["--peers", "none", "--only", "bus,memory"])
    assert "there is no group memory; there are bus, http" in capsys.readouterr().err


@contextmanager
def opened(tmp_path: Path, peers: Path, *, others: bool = False) -> Generator[Bench]:
    before = Before("the same", peers, ENVIRONMENTS)
    with open_bench(ENVIRONMENTS, tmp_path / "logs", quick=True, others=others, before=before) as bench:
        yield bench


@pytest.fixture
def peers(tmp_path: Path) -> Path:
    """The scripts of a commit."""
    return Path(shutil.copytree(PEERS, tmp_path / "before" / "peers"))


def test_the_earlier_daebus_stands_beside_each_daebus(tmp_path: Path, peers: Path) -> None:
    with opened(tmp_path, peers) as bench:
        assert bench.taking_part(("daebus", "bare ASGI")) == ["daebus", "daebus before"]
        assert bench.taking_part(("daebus, uvloop", "x")) == ["daebus, uvloop", "daebus before, uvloop"]
        assert bench.of("daebus before, uvloop").peers == peers
        assert bench.of("daebus, uvloop").peers == PEERS
        environments = {*bench.environments}
    assert environments <= {*OURS}


@pytest.mark.parametrize(
    ("group", "name"),
    [(bus_cases, "send, 64 in flight, until handled"), (http_cases, "HTTP GET, 64 connections")],
    ids=["bus", "http"],
)
def test_each_is_served_by_its_own_service(
    group: Callable[[Bench], AbstractContextManager[list[Case]]], name: str, tmp_path: Path, peers: Path
) -> None:
    """A job that reached the service of the other would be counted in the other's tally, and be lost here."""
    with opened(tmp_path, peers) as bench, group(bench) as cases:
        assert {peer for case in cases for peer in case.peers if "daebus" not in peer} == set()
        (case,) = (case for case in cases if case.name == name)
        result = run_case(case, rounds=1, seconds=0.1)

    assert [row.peer for row in result.rows] == ["daebus", "daebus before"]
    assert [(row.problem, row.failed, len(row.ratios)) for row in result.rows] == [(None, 0, 1)] * 2
    assert [len(row.cpu_ratios) for row in result.rows] == [1, 1]


def test_it_runs_the_scripts_of_the_commit(tmp_path: Path, peers: Path) -> None:
    (peers / "bus_daebus.py").write_text("raise SystemExit('as it was')")

    with opened(tmp_path, peers) as bench, bus_cases(bench) as cases:
        result = run_case(cases[0], rounds=1, seconds=0.05)

    assert [row.problem is None for row in result.rows] == [True, False]
    assert "as it was" in (tmp_path / "logs" / "before" / "bus_daebus.py-driver.log").read_text()
    assert "1 not measured: call, one at a time" in show_changes([result])


def measured(values: Sequence[float], cpu: Sequence[float | None]) -> Measure:
    samples = iter([Sample(value, cpu=used) for value, used in zip(values, cpu, strict=True)])
    return lambda _: next(samples)


def compared(
    now: Sequence[float], before: Sequence[float], *, lower: bool = False, cpu: Sequence[float | None] = (None,) * 3
) -> Result:
    peers = {"daebus": measured(now, cpu), "daebus before": measured(before, [use and 10 for use in cpu])}
    return run_case(Case("work", "calls/s", peers, lower_is_better=lower), rounds=3, seconds=0)


def test_what_is_done_one_at_a_time_is_compared_in_time_and_in_cpu() -> None:
    result = compared([120, 120, 120], [100, 100, 100], lower=True, cpu=[10, 10, 10])

    assert [(change.measured, change.worse) for change in changes([result])] == [("CPU", False), ("calls/s", True)]


@pytest.mark.parametrize(
    ("result", "worse"),
    [
        (compared([90, 91, 90], [100, 100, 100]), True),
        (compared([97, 97, 96], [100, 100, 100]), False),  # by less than 5 %
        (compared([90, 80, 110], [100, 100, 100]), False),  # by less than the rounds lie apart
        (compared([110, 111, 110], [100, 100, 100]), False),
        (compared([110, 111, 110], [100, 100, 100], lower=True), True),
        (compared([90, 91, 90], [100, 100, 100], cpu=[10, 10, 10]), False),  # the machine was busy, not we
        (compared([100, 100, 100], [100, 100, 100], cpu=[11, 11, 11]), True),
    ],
)
def test_a_row_is_worse_beyond_five_percent_and_its_spread(result: Result, *, worse: bool) -> None:
    (change,) = changes([result])

    assert change.worse is worse
    assert show_changes([result]).splitlines()[-1].startswith(f"{int(worse)} of 1 rows more than 5 % worse")
    assert ("WORSE" in show_changes([result])) is worse
