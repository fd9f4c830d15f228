"""Options of background tasks that can never work are refused where they are written."""

from __future__ import annotations

from typing import Any

import pytest

from daebus import Blueprint, WiringError


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"seconds": 60, "zone": "Europe/Berlin"}, "zone='Europe/Berlin' has no effect without cron="),
        ({"seconds": 60, "catch_up": 60}, "catch_up= has no effect without cron="),
        ({"seconds": 60, "jitter": 60}, "jitter=60, and the interval is only 60 seconds"),
        ({"seconds": 60, "jitter": -1}, "jitter=-1, which must be a number of seconds of at least 0"),
        ({"seconds": 60, "overlap": "queue"}, "overlap='queue' is not an allowed value"),
        ({"seconds": 60, "pause_after": 1.5}, "pause_after=1.5, which must be a whole number"),
        ({"seconds": 60, "history": 10_001}, "history=10001, which must be a whole number from 0 to 10000"),
        ({"seconds": 60, "scope": "replica", "history": 5}, "history= has no effect with scope='replica'"),
        ({"seconds": 60, "overlp": "skip"}, "background has no option 'overlp'"),
        ({"cron": "0 3 * * *", "zone": "Mars/Base"}, "the time zone 'Mars/Base' is unknown"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], found: str) -> None:
    with pytest.raises(WiringError) as caught:
        Blueprint("users").background("work", **options)(lambda: None)
    assert found in str(caught.value)
    assert "tests/declare/test_options_of_tasks.py:" in str(caught.value)
