"""Backoff: the pauses between attempts."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["pauses"]


def pauses(first: float = 0.02, longest: float = 1.0) -> Iterator[float]:
    """Seconds to wait before each attempt: growing, with random variation between processes.

    Args:
        first: The upper limit of the first pause; it doubles for each further one.
        longest: The upper limit of all pauses.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # spread, not secrecy
        pause = min(longest, pause * 2)
