"""How long to wait before each new attempt."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["pauses"]


def pauses(first: float = 0.02, longest: float = 1.0) -> Iterator[float]:
    """Seconds to wait before each attempt: longer and longer, and no two processes alike.

    Args:
        first: The first one at the most; then twice as long, and so on.
        longest: None is longer.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # spread, not secrecy
        pause = min(longest, pause * 2)
