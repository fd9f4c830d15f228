from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from daebus.declare.schedules import Cron, Interval, make_schedule


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_interval_is_due_its_length_after_the_last_start() -> None:
    assert Interval(60).next_after(1_000) == 61_000
    assert Interval(0.0015).next_after(0) == 2


@pytest.mark.parametrize(
    ("expression", "last", "due"),
    [
        ("0 3 * * *", "2026-11-22T02:59:59.999", "2026-11-22T03:00:00"),
        ("0 3 * * *", "2026-11-22T03:00:00", "2026-11-23T03:00:00"),
        ("0 3 * * *", "2026-11-22T03:00:00.004", "2026-11-23T03:00:00"),
        ("*/15 * * * *", "2026-11-22T23:45:00", "2026-11-23T00:00:00"),
        ("30 9 * * MON-FRI", "2026-11-20T10:00:00", "2026-11-23T09:30:00"),
        ("0 0 29 2 *", "2026-11-22T00:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_cron_is_due_at_the_next_match_in_utc(expression: str, last: str, due: str) -> None:
    assert Cron(expression).next_after(ms(last)) == ms(due)


def test_cron_ignores_daylight_saving() -> None:
    # Central Europe skips 02:00 to 03:00 local time, 01:00 to 02:00 UTC, on this day.
    assert Cron("30 1 * * *").next_after(ms("2026-03-29T01:00:00")) == ms("2026-03-29T01:30:00")


@pytest.mark.parametrize("seconds", [0, -1, -0.5, float("nan"), float("inf"), float("-inf"), 1e-9, 1e300])
def test_an_interval_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"The interval is .* seconds: give"):
        Interval(seconds)


def test_an_interval_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="The interval '60' is not a number of seconds"):
        Interval("60")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "has 0 fields"),
        ("* * *", "has 3 fields"),
        ("0 0 3 * * *", "has 6 fields"),
        ("@daily", "give five"),
        ("61 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day-of-month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day-of-week"),
        ("x * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("0 0 31 2 *", "never matches"),
        ("0 0 31 4,6 *", "never matches"),
    ],
)
def test_a_bad_cron_expression_is_refused(expression: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        Cron(expression)
    assert repr(expression) in str(caught.value)


def test_a_cron_expression_that_is_no_string_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a string"):
        Cron(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested


def test_make_schedule_takes_one_of_three_ways() -> None:
    assert make_schedule(3600, None, None) == Interval(3600)
    assert make_schedule(None, timedelta(minutes=1), None) == Interval(60)
    assert make_schedule(None, None, "0 3 * * *") == Cron("0 3 * * *")


@pytest.mark.parametrize(
    ("seconds", "every", "cron"),
    [
        (None, None, None),
        (1, timedelta(1), None),
        (1, None, "* * * * *"),
        (None, timedelta(1), "* * * * *"),
        (1, timedelta(1), "* * * * *"),
        (0, None, "* * * * *"),
    ],
)
def test_make_schedule_refuses_none_and_several(
    seconds: float | None, every: timedelta | None, cron: str | None
) -> None:
    with pytest.raises(ValueError, match="exactly one schedule"):
        make_schedule(seconds, every, cron)


@pytest.mark.parametrize(
    ("seconds", "every", "cron"),
    [(-1, None, None), (None, timedelta(0), None), (None, timedelta(seconds=-1), None), (None, None, "0 0 31 2 *")],
)
def test_make_schedule_refuses_what_the_values_refuse(
    seconds: float | None, every: timedelta | None, cron: str | None
) -> None:
    with pytest.raises(ValueError, match=r"interval|cron"):
        make_schedule(seconds, every, cron)


def test_make_schedule_refuses_a_number_as_every() -> None:
    with pytest.raises(ValueError, match="every=60 is not a timedelta"):
        make_schedule(None, 60, None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested
