"""Settings that come from the environment."""

from __future__ import annotations

import math
import os

from daebus.errors import ConfigurationError

__all__ = ["WORKER_VARIABLE", "seconds_from"]

WORKER_VARIABLE = "DAEBUS_WORKER"
"""The variable by which a supervisor tells each worker the number of its slot, and a folder for all: ``0:DIR``."""


def seconds_from(variable: str, default: float) -> float:
    """A number of seconds of at least 0; `default` if the variable is not set, or empty.

    Raises:
        ConfigurationError: The value is no such number.
    """
    given = os.environ.get(variable)
    if not given:
        return default
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise ConfigurationError(
            f"The environment variable {variable} is {given!r}: give a number of seconds of at least 0."
        )
    return seconds
