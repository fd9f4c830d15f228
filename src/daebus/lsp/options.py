"""The options of the language server, which editors give as initialization options."""

from __future__ import annotations

import msgspec

__all__ = ["Options", "read_options"]


class Options(msgspec.Struct, frozen=True):
    """The options.

    Attributes:
        seconds: How long the check of an app may take; default 20.
        megabytes: How much memory it may allocate; default 4096.
    """

    seconds: float = 20.0
    megabytes: int = 4096


def read_options(given: object) -> Options:
    """The options that an editor gives; the defaults where it gives none, or what they cannot be."""
    try:
        return Options() if given is None else msgspec.convert(given, Options)
    except msgspec.ValidationError:
        return Options()
