"""SIGTERM and SIGINT: the first one asks a process to stop, a second one forces it."""

from __future__ import annotations

import signal
import threading
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn, Self

__all__ = ["StopSignals"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_SAME_SECONDS = 0.1
"""Two signals within this time count as one: Ctrl-C reaches a wrapper and its child, and the wrapper passes it on."""

Handler = Callable[[int, FrameType | None], object] | int | None


class StopSignals:
    """Handles the signals inside its ``with`` block. In a thread other than the main one it does nothing.

    The handlers are Python's own, not the event loop's, so that a blocked loop can still be forced to end.

    Args:
        loop: The event loop in which `ask` is called.
        ask: Called once, for the first signal.
        at_once: Called once before `ask`, immediately, at any point of the main thread; it must take no locks and not
            log.
        force: Called immediately with the number of a second signal, at any point of the main thread; it ends the
            process.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        ask: Callable[[], object],
        force: Callable[[int], NoReturn],
        at_once: Callable[[], object] = lambda: None,
    ) -> None:
        self._loop = loop
        self._at_once = at_once
        self._ask = ask
        self._force = force
        self._asked: float | None = None
        self._before: list[tuple[signal.Signals, Handler]] = []

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._asked is not None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = [(number, signal.signal(number, self._receive)) for number in _SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            # None means a handler that was not set by Python; it cannot be restored.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
            self._at_once()
            with suppress(RuntimeError):  # the loop is already closed
                self._loop.call_soon_threadsafe(self._ask)
        elif now - self._asked > _SAME_SECONDS:
            self._force(number)
