"""Numbers as people read them."""

from __future__ import annotations

import pytest

from daebus.cli.fleet.words import age, duration, rate, size, span


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-3, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 m"), (3_725, "1 h 2 m"), (90_061, "1 d 1 h"), (604_800, "7 d")],
)
def test_long_durations(seconds: float, shown: str) -> None:
    assert span(seconds) == shown
    assert age(1_000, 1_000 + int(seconds * 1000)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.0000042, "4.2 µs"),
        (0.00042, "420 µs"),
        (0.0042, "4.2 ms"),
        (0.42, "420 ms"),
        (4.2, "4.2 s"),
        (42, "42 s"),
        (float("inf"), "> 2 m"),
    ],
)
def test_short_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_sizes_and_rates() -> None:
    assert size(88_080_384) == "84 MiB"
    assert [rate(value) for value in (0, 0.25, 12.7, 1250)] == ["-", "0.2/s", "13/s", "1250/s"]
