"""Fields of the entries of streams."""

from __future__ import annotations

__all__ = ["number_in"]

_MOST_DIGITS = 15


def number_in(field: bytes | None, default: int = 0) -> int:
    """The number in a field that daebus wrote, or that was forged."""
    return int(field) if field is not None and field.isdigit() and len(field) <= _MOST_DIGITS else default
