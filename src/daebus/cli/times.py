"""Times of the server's clock, as the commands show them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["time_of"]


def time_of(ms: int) -> str:
    """A time in ms, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
