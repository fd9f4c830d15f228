"""The clock by which pauses are measured in which this process, or the whole machine, may have stood still."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

__all__ = ["uptime"]

uptime: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic
)
"""Seconds on a clock that also runs while the process is stopped and, where there is one, while the machine sleeps."""
