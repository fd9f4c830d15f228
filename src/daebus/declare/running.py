"""`Running`: the switch that a thread handler checks."""

from __future__ import annotations

import threading

__all__ = ["Running"]


class Running:
    """The switch of a thread handler: call it to check whether the thread should continue: ``while running(): ...``."""

    __slots__ = ("_stop",)

    def __init__(self) -> None:
        self._stop = threading.Event()

    def __call__(self) -> bool:
        """Whether the thread should keep running."""
        return not self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but return at once if the thread is asked to stop. Returns whether it should keep running.

        Args:
            seconds: How long to sleep.
        """
        return not self._stop.wait(seconds)

    def stop(self) -> None:
        """Ask the thread to return."""
        self._stop.set()
