"""Numbers as people read them: durations, ages, bytes, rates."""

from __future__ import annotations

__all__ = ["age", "duration", "rate", "size", "span"]

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def span(seconds: float) -> str:
    """A long duration, such as ``3 h 12 m``: its two largest units."""
    rest, parts = max(0, int(seconds)), list[str]()
    for unit, name in _UNITS:
        if rest >= unit or (unit == 1 and not parts):
            parts.append(f"{rest // unit} {name}")
            rest %= unit
    return " ".join(parts[:2])


def age(at: int, now: int) -> str:
    """How long ago a time is; both in ms."""
    return span((now - at) / 1000)


def duration(seconds: float | None) -> str:
    """A short duration with two or three digits, such as ``1.4 ms``."""
    if seconds is None:
        return "-"
    if seconds == float("inf"):
        return "> 2 m"
    factor, name = (1.0, "s") if seconds >= 1 else (1e-3, "ms") if seconds >= 1e-3 else (1e-6, "µs")
    value = seconds / factor
    return f"{value:.0f} {name}" if value >= 10 else f"{value:.1f} {name}"


def size(count: int) -> str:
    """A number of bytes in MiB, such as ``84 MiB``."""
    return f"{count / 1_048_576:.0f} MiB"


def rate(value: float) -> str:
    """A rate per second, such as ``1250/s``."""
    return "-" if value == 0 else f"{value:.0f}/s" if value >= 10 else f"{value:.1f}/s"
