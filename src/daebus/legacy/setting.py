"""The setting for the wire format of daebus 0.0.31: a process uses it only if configured."""

from __future__ import annotations

import os

from daebus.errors import ConfigurationError

__all__ = ["LEGACY_VARIABLE", "speaks_old_wire"]

LEGACY_VARIABLE = "DAEBUS_LEGACY"


def speaks_old_wire(asked: bool | None) -> bool:  # noqa: FBT001  # it is a setting, handed on
    """The setting; if it is None, whether the environment has ``DAEBUS_LEGACY=1``.

    Raises:
        ConfigurationError: The environment variable is neither 0 nor 1.
    """
    if asked is not None:
        return asked
    value = os.environ.get(LEGACY_VARIABLE) or "0"
    if value not in ("0", "1"):
        raise ConfigurationError(
            f"{LEGACY_VARIABLE} is {value!r}: 1 enables the protocol of daebus 0.0.31, 0 disables it."
        )
    return value == "1"
