"""The setup of a service's process: the event loop, and a less frequent garbage collection."""

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
"""New objects before a collection of the youngest generation. The default is a few hundred: about ten requests."""


def loop_factory(loop: Loop | None) -> Callable[[], asyncio.AbstractEventLoop]:
    """The factory of the event loop; None: uvloop if it is installed, else asyncio's own.

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
    """Inside this context, the garbage collector ignores existing objects and checks new ones less often.

    A full collection of an app with HTTP takes 25 ms, during which nothing is answered. Collections of the objects of
    requests took a tenth of the time of the requests.
    """
    before = gc.get_threshold()
    if before[0]:  # else garbage collection is turned off
        gc.set_threshold(max(before[0], _YOUNG), *before[1:])
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
