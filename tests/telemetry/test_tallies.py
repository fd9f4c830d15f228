from __future__ import annotations

import pytest

from daebus.telemetry import tallies
from daebus.telemetry.tallies import Tally


@pytest.mark.parametrize("forgets", [False, True])
def test_a_flood_is_told_ever_more_seldom(forgets: bool) -> None:
    tally = Tally(forgets=forgets)
    assert [tally.count for _ in range(1000) if tally.add()] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


@pytest.mark.parametrize(("forgets", "told"), [(False, 2), (True, 3)])
def test_after_a_quiet_time_it_is_news_again(monkeypatch: pytest.MonkeyPatch, forgets: bool, told: int) -> None:
    monkeypatch.setattr(tallies, "_QUIET_SECONDS", -1.0)
    tally = Tally(forgets=forgets)
    assert sum(tally.add() for _ in range(3)) == told
