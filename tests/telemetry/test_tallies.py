from __future__ import annotations

import pytest

from daebus.telemetry.tallies import Tally


@pytest.mark.parametrize("forgets", [False, True])
def test_a_flood_is_told_ever_more_seldom(forgets: bool) -> None:
    tally = Tally(forgets=forgets)
    assert [tally.count for _ in range(1000) if tally.add()] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


@pytest.mark.parametrize(("forgets", "told"), [(False, 2), (True, 3)])
def test_after_a_quiet_time_it_is_news_again(forgets: bool, told: int) -> None:
    tally = Tally(forgets=forgets, quiet=-1.0)
    assert sum(tally.add() for _ in range(3)) == told


@pytest.mark.parametrize(("quiet", "told"), [(60.0, [1, 2, 4]), (-1.0, [1, 2, 3, 4])])
def test_what_goes_on_is_told_again_after_a_quiet_time(quiet: float, told: list[int]) -> None:
    tally = Tally(reminds=True, quiet=quiet)
    assert [tally.count for _ in range(4) if tally.add()] == told
