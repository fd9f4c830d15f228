"""Calendar arithmetic: daylight-saving changes, missed times, jitter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daebus.declare.schedules import Cron, Interval
from daebus.tasks.planning import MOST_COUNTED, Planner

BERLIN = ZoneInfo("Europe/Berlin")


def ms(month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> int:
    return int(datetime(2026, month, day, hour, minute, tzinfo=BERLIN, fold=fold).timestamp() * 1000)


def times(expression: str, after: int, count: int) -> list[str]:
    cron, found = Cron(expression, "Europe/Berlin"), list[str]()
    for _ in range(count):
        after = cron.next_after(after)
        found.append(datetime.fromtimestamp(after / 1000, BERLIN).strftime("%d %H:%M %z"))
    return found


def test_a_time_that_the_change_to_summer_time_leaves_out_is_due_at_the_end_of_the_gap() -> None:
    assert times("30 2 * * *", ms(3, 28, 12), 2) == ["29 03:00 +0200", "30 02:30 +0200"]


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    assert times("30 2 * * *", ms(10, 24, 12), 2) == ["25 02:30 +0200", "26 02:30 +0100"]
    # Also for an instance that starts in the hour that comes again.
    assert times("30 2 * * *", ms(10, 25, 2, 15, fold=1), 1) == ["26 02:30 +0100"]


def test_an_expression_with_a_star_follows_the_elapsed_time() -> None:
    assert times("30 * * * *", ms(3, 29, 1), 2) == ["29 01:30 +0100", "29 03:30 +0200"]
    assert times("30 * * * *", ms(10, 25, 2), 3) == ["25 02:30 +0200", "25 02:30 +0100", "25 03:30 +0100"]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="'Europe/Berln' is unknown"):
        Cron("0 3 * * *", "Europe/Berln")


def test_the_times_of_a_century_are_not_counted_one_by_one() -> None:
    now = int(datetime(2026, 12, 1, 12, 0, 30, tzinfo=UTC).timestamp() * 1000)
    plan = Planner("work", Cron("* * * * *")).plan(0, 0, now)
    assert (plan.target, plan.missed) == (now - 30_000, MOST_COUNTED)


def test_jitter_delays_each_run_by_less_than_its_limit_and_the_same_on_all_replicas() -> None:
    plans = [Planner("work", Interval(60), jitter=30).plan(last, 0, last) for last in range(0, 600_000, 60_000)]
    delays = [plan.due - plan.target for plan in plans]
    assert all(0 <= delay < 30_000 for delay in delays)
    assert len(set(delays)) > 5
    assert plans == [Planner("work", Interval(60), jitter=30).plan(last, 0, last) for last in range(0, 600_000, 60_000)]


def test_the_times_of_a_pause_are_missed() -> None:
    start = int(timedelta(days=1).total_seconds() * 1000)
    plan = Planner("work", Interval(60)).plan(start, start + 150_000, start + 151_000)
    assert (plan.target, plan.missed) == (start + 180_000, 2)
