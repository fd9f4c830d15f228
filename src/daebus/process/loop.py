"""What a service makes of its process: the event loop, and how seldom the garbage collector looks at it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from daebus.errors import ConfigurationError

__all__ = ["Loop", "loop_factory", "tuned_collector"]

Loop: TypeAlias = Literal["asyncio", "uvloop"]
"""The event loops that a service can run in."""

_YOUNG = 10_000
"""New objects after which the youngest are looked at. By default it is a few hundred: some ten requests."""


def loop_factory(loop: Loop | None) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop; None: uvloop where it is installed, else asyncio's own.

    Raises:
        ConfigurationError: There is no such event loop, or it is not installed.
    """
    if loop not in ("asyncio", "uvloop", None):
        raise ConfigurationError(f"There is no event loop {loop!r}: choose 'uvloop' or 'asyncio'.")
    if loop == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415  # it is optional
    except ImportError:
        if loop is None:
            return asyncio.new_event_loop
        raise ConfigurationError(
            "uvloop is not installed: pip install 'daebus[uvloop]', or choose the event loop 'asyncio'."
        ) from None
    return uvloop.new_event_loop


@contextmanager
def tuned_collector() -> Generator[None]:
    """Within it the garbage collector leaves alone what is there already, and looks at what is new less often.

    What an app with HTTP has loaded takes 25 ms to look through, in which nothing is answered; and the looks at what
    requests leave behind took a tenth of their time.
    """
    before = gc.get_threshold()
    if before[0]:  # else there is no collecting at all
        gc.set_threshold(max(before[0], _YOUNG), *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
