"""Tells a process from one that was forked from it, where threads, event loops and connections are of no use."""

from __future__ import annotations

import os

from daebus.errors import ConfigurationError

__all__ = ["Home"]


class _Generation:
    """How many forks lie between this process and the one that began: a number that costs nothing to look at."""

    number = 0

    @classmethod
    def begin(cls) -> None:
        """This process was just forked."""
        cls.number += 1


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_Generation.begin)


class Home:
    """The process in which a bus was opened."""

    __slots__ = ("_generation", "_pid")

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._generation = _Generation.number

    @property
    def is_here(self) -> bool:
        """Whether it is this process, and not one that was forked from it."""
        return self._generation == _Generation.number

    def require(self) -> None:
        """Raise `ConfigurationError` in a process that was forked from it."""
        if self._generation != _Generation.number:
            raise ConfigurationError(
                f"A bus that was opened in process {self._pid} is used in process {os.getpid()}, which was forked from "
                "it: its thread, event loop and connections did not come along. Let each process open one of its own "
                "after the fork, or start processes with multiprocessing's 'spawn'."
            )
