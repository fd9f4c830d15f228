"""Rooms in short: pages that come back after their replica was killed, or the server restarted, miss nothing."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.rooms import Setup, play


async def test_pages_miss_nothing_when_replicas_are_killed(tmp_path: Path) -> None:
    found = await play(tmp_path, Setup(sockets=60, rooms=5, rate=100, seconds=15, pause=5))
    assert (found.kills >= 2, found.wrong, found.lost, found.repeated) == (True, {}, 0, 0), found
    assert found.recoveries.keys() == {"full"}, found
    assert found.delivered > 10_000, found


async def test_pages_miss_nothing_when_the_server_is_restarted(tmp_path: Path) -> None:
    found = await play(tmp_path, Setup(sockets=60, rooms=5, rate=100, seconds=6, pause=0, restarts=1))
    assert (found.restarts, found.wrong, found.lost) == (1, {}, 0), found
    assert found.delivered > 4_000, found
