"""How long a client of HTTP waits for its answer, as it says in a header of its request."""

from __future__ import annotations

from collections.abc import Sequence

from daebus.payloads.mistakes import Mistake, Mistakes

__all__ = ["TIMEOUT", "TIMEOUT_HEADER", "read_timeout"]

TIMEOUT_HEADER = "x-request-timeout-ms"
"""The header of a request that says for how many milliseconds its client waits."""

TIMEOUT = TIMEOUT_HEADER.encode()

_MOST_DIGITS = 10  # as in the Connect protocol: 115 days


def read_timeout(values: Sequence[bytes]) -> float | None:
    """Seconds for which a client waits; None: it does not say.

    Args:
        values: Those of the header, of which the shortest time counts.

    Raises:
        BadRequest: One is not a positive number of milliseconds.
    """
    return min(map(_read, values)) if values else None


def _read(value: bytes) -> float:
    if len(value) > _MOST_DIGITS or not value.isdigit() or not value.strip(b"0"):
        problem = f"Expected a positive number of milliseconds, of at most {_MOST_DIGITS} digits"
        raise Mistakes([Mistake("header", TIMEOUT_HEADER, problem)]).as_error()
    return int(value) / 1000
