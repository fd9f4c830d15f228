"""The walk of a message: how many of daebus' own functions are called from where it comes in to where it is answered.

A figure of time depends on the machine, and on who else uses it. The number of calls does not: it grows only with the
code.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import daebus

__all__ = ["Walk", "Walks", "walks"]

_SOURCE = f"{Path(daebus.__file__).parent}/"
_COMPREHENSIONS = ("<dictcomp>", "<listcomp>", "<setcomp>")
"""From Python 3.12 on they are no calls."""

_WARM, _ROUNDS = 20, 100


class Walk:
    """The calls of one message.

    Attributes:
        calls: How often each function is called for it.
    """

    def __init__(self, rounds: Sequence[Counter[str]]) -> None:
        # Periodic work, such as a heartbeat, is not part of the walk: on a slow machine it runs in most rounds, but
        # not in all of them.
        each = {name: min(calls[name] for calls in rounds) for name in rounds[0]}
        self.calls: dict[str, int] = {name: times for name, times in each.items() if times}

    def __len__(self) -> int:
        return sum(self.calls.values())

    def __repr__(self) -> str:
        return "\n".join([f"{len(self)} calls:", *(f"{times:4} {name}" for name, times in self.calls.items())])


class Walks:
    """Counts calls, in the main thread and in those that are started meanwhile."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._is_counting = False

    async def of(self, send: Callable[[], Awaitable[object]]) -> Walk:
        """The walk of a message that is sent again and again, so that all is loaded, connected and cached.

        Args:
            send: Sends one, and returns once it is answered.
        """
        for _ in range(_WARM):
            await send()
        rounds = list[Counter[str]]()
        self._is_counting = True
        try:
            for _ in range(_ROUNDS):
                self._calls = Counter()
                rounds.append(self._calls)
                await send()
        finally:
            self._is_counting = False
        return Walk(rounds)

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """As `sys.setprofile` calls it."""
        code = frame.f_code
        if event != "call" or not self._is_counting or not code.co_filename.startswith(_SOURCE):
            return
        # A function begins with the instruction RESUME 0; a coroutine or a generator that goes on, with another number.
        if code.co_code[frame.f_lasti + 1] & 3 == 0 and code.co_name not in _COMPREHENSIONS:
            self._calls[f"{code.co_filename.removeprefix(_SOURCE)}: {code.co_qualname}"] += 1


@contextmanager
def walks() -> Generator[Walks]:
    """Counting of calls. Start within it what is to be counted, for the sake of its threads."""
    counting = Walks()
    threading.setprofile(counting.note)
    sys.setprofile(counting.note)
    try:
        yield counting
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # pyright: ignore[reportArgumentType]  # as its documentation says
