"""The faults in short: with real processes, nothing is lost, and only what was in hand is repeated."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.faults import flow, hangs, kills, renamings, restarts
from tests.chaos.histories.rounds import Setup, play
from tests.chaos.rolling import roll
from tests.chaos.streaming import cut, stop


async def test_nothing_is_lost_when_replicas_are_killed(tmp_path: Path) -> None:
    report = await kills(tmp_path, seed=1, seconds=2, rate=300, pause=0.7)
    assert report.injected >= 2
    assert report.messages > 400
    assert (report.lost, report.left, report.unexplained) == (0, 0, 0), report


async def test_nothing_is_lost_and_nothing_run_again_when_the_server_hangs(tmp_path: Path) -> None:
    report = await hangs(tmp_path, seed=1, seconds=8, rate=200, pause=1)
    assert report.injected >= 1
    assert (report.lost, report.left, report.repeated) == (0, 0, 0), report


async def test_nothing_that_the_server_has_taken_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    report = await restarts(tmp_path, seed=1, seconds=3, rate=200, pause=1.5)
    assert report.injected >= 1
    assert (report.lost, report.left, report.unexplained) == (0, 0, 0), report


async def test_a_listener_that_is_renamed_in_a_rolling_deployment_misses_nothing(tmp_path: Path) -> None:
    report = await renamings(tmp_path, seed=1, seconds=4, rate=200)
    assert report.injected >= 1
    assert (report.lost, report.left, report.unexplained) == (0, 0, 0), report
    assert report.more.endswith(" 1 group"), report


async def test_a_rolling_restart_goes_unnoticed(tmp_path: Path) -> None:
    rolled = await roll(tmp_path, seed=1)
    assert (rolled.failed, rolled.lost, rolled.repeated) == ([], 0, 0)
    assert rolled.exits == [0, 0, 0]
    assert set(rolled.closes) == {1001}


async def test_the_streams_are_empty_when_all_is_handled(tmp_path: Path) -> None:
    report = await flow(tmp_path, messages=2_000)
    assert report.left == 0


async def test_nothing_is_left_of_streams_that_are_cut(tmp_path: Path) -> None:
    found = await cut(tmp_path, seed=1, streams=60)
    assert (found.sessions, found.generators, found.tasks, found.descriptors) == (0, 0, 0, 0), found


async def test_open_event_streams_do_not_hold_up_the_stop(tmp_path: Path) -> None:
    stopped = await stop(tmp_path, streams=20)
    assert (stopped.code, stopped.cut, stopped.sessions, stopped.generators) == (0, 0, 0, 0), stopped
    assert stopped.seconds < 20  # of the 30 that the work in hand may take


async def test_the_history_of_stalled_connections_has_nothing_wrong(tmp_path: Path) -> None:
    kinds = ("send", "event", "call", "keyed")
    setup = Setup(seed=4, faults=("stall",), kinds=kinds, replicas=2, seconds=3, longest=0.5, pause=0.5)
    played = await play(tmp_path, setup)
    assert played.injected["stall"] >= 1
    assert played.findings == [], played
