"""Detection of forked processes, where threads, event loops and connections of the parent cannot be used."""

from __future__ import annotations

import os
from weakref import WeakSet

from daebus.errors import ConfigurationError

__all__ = ["Home"]


class Home:
    """The process in which a bus was opened.

    Attributes:
        is_here: Whether it is the current process, and not one that was forked from it.
    """

    __slots__ = ("__weakref__", "_pid", "is_here")

    def __init__(self) -> None:
        self._pid = os.getpid()
        self.is_here: bool = True
        _homes.add(self)

    def require(self) -> None:
        """Raise `ConfigurationError` in a process that was forked from it."""
        if not self.is_here:
            raise ConfigurationError(
                f"A bus that was opened in process {self._pid} is used in process {os.getpid()}, which was forked from "
                "it: its thread, event loop and connections do not exist there. Open a bus in each process after the "
                "fork, or start processes with multiprocessing's 'spawn'."
            )


_homes: WeakSet[Home] = WeakSet()


def _leave() -> None:
    """Record that this process was just forked: everything that was opened belongs to the parent."""
    for home in _homes:
        home.is_here = False


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_leave)
