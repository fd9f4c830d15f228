"""Several worker processes on one port: started, watched, replaced and stopped together."""

from __future__ import annotations

import asyncio
import atexit
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from shutil import rmtree
from tempfile import mkdtemp
from typing import NoReturn

from daebus.telemetry.logs import configure_logging, make_logger

from .children import Child, Started
from .notifier import Notifier
from .signals import StopSignals

__all__ = ["Supervisor"]

_FIRST_SECONDS = 5.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 30.0
_LONGEST_OUTAGE = 1.0
"""The longest pause while no other worker serves: all of them may have been ended by a few bad requests."""

_CRITICAL = 3
"""Number of early ends in a row that count as critical: a single one may be an accident."""

_LOOK_SECONDS = 1.0


@dataclass
class _Place:
    """The state of one worker slot.

    Attributes:
        number: Its number, from 0 on.
        early: How many in a row ended in their first seconds.
        unstarted: How many in a row ended before they served.
        is_serving: Whether its worker serves.
    """

    number: int
    early: int = 0
    unstarted: int = 0
    is_serving: bool = False


class Supervisor:
    """Keeps workers alive until SIGTERM or SIGINT, which it passes on.

    The first worker starts alone, so that a mistake in the app, its server or its port is reported once. A worker that
    ends is replaced at once, or with backoff if it ended early; a worker whose event loop hangs is killed and replaced.
    No worker is stopped because of another. The supervisor gives up if, in each slot, too many workers in a row have
    ended before they served.

    Args:
        arguments: The command line of a worker: ``run TARGET ...``.
        workers: How many.
        tries: How many workers in a row may end in each slot before they serve.
    """

    def __init__(self, arguments: Sequence[str], workers: int, *, tries: int = 5) -> None:
        self._arguments = list(arguments)
        self._places = [_Place(number) for number in range(workers)]
        self._tries = tries
        self._logger = make_logger()
        self._children: set[Child] = set()
        self._folder = mkdtemp(prefix="daebus-")  # for what the workers share
        atexit.register(rmtree, self._folder, ignore_errors=True)

    async def run(self) -> int:
        """Start the workers, and return an exit code when all have ended.

        The code is 0 after a signal; the code of the first worker if that does not start; 1 if no worker starts any
        more or one did not stop cleanly.
        """
        keeping = asyncio.create_task(self._keep_all(notifier := Notifier()))
        with StopSignals(asyncio.get_running_loop(), keeping.cancel, self._force):
            await asyncio.wait({keeping})
            notifier.stopping()
            stopped = await asyncio.gather(*(child.stop() for child in self._children))
        if not keeping.cancelled():
            return keeping.result()
        return 0 if all(stopped) else 1

    def _force(self, number: int) -> NoReturn:
        for child in list(self._children):
            child.kill()
        os._exit(128 + number)

    async def _keep_all(self, notifier: Notifier) -> int:
        first = await self._start(self._places[0])
        started = await first.started()
        if started is None:
            await first.wait()
            self._children.discard(first)
            return first.exit_code
        self._prepare(started)
        others = [self._start(place) for place in self._places[1:]]
        children = [first, *await asyncio.gather(*others)]
        keepers = [asyncio.create_task(self._keep(*pair)) for pair in zip(self._places, children, strict=True)]
        try:
            async with notifier.serving(f"{started.service} runs in {len(keepers)} workers"):
                done, _ = await asyncio.wait(keepers, return_when=asyncio.FIRST_COMPLETED)
            for keeper in done:
                keeper.result()
        finally:
            for keeper in keepers:
                keeper.cancel()
        return 1

    def _prepare(self, started: Started) -> None:
        configure_logging(service=started.service, instance=f"supervisor-{os.getpid()}")
        # The first one has made sure that the port is ours. Where it was asked for any free one, it says which.
        self._arguments.append("--share-port")
        if started.port is not None:
            self._arguments += ["--port", str(started.port)]
        self._logger.info("starting workers", workers=len(self._places))

    async def _start(self, place: _Place) -> Child:
        child = await Child.start(self._arguments, apart=True, worker=f"{place.number}:{self._folder}")
        self._children.add(child)
        return child

    async def _keep(self, place: _Place, child: Child) -> None:
        """Keep a slot filled. Returns when no slot can be kept filled any more."""
        while True:
            how = await self._to_its_end(place, child)
            self._children.discard(child)
            if all(each.unstarted >= self._tries for each in self._places):
                self._logger.critical("no worker can start any more: giving up", workers=len(self._places), how=how)
                return
            pause = self._pause(place)
            about = {"pid": child.pid, "how": how, "early_ends": place.early, "next_in_seconds": pause}
            if place.early < _CRITICAL:
                self._logger.warning("worker ended, starting another one", **about)
            else:
                self._logger.critical("a worker keeps ending early", **about)
            await asyncio.sleep(pause)
            child = await self._start(place)

    def _pause(self, place: _Place) -> float:
        """Seconds until the next worker of a slot starts."""
        if place.early == 0:
            return 0.0
        has_served = place.unstarted == 0
        longest = (
            _LONGEST_OUTAGE if has_served and not any(each.is_serving for each in self._places) else _LONGEST_PAUSE
        )
        return min(_FIRST_PAUSE * 2.0 ** (place.early - 1), longest)

    async def _to_its_end(self, place: _Place, child: Child) -> str:
        """Wait until a worker has ended, and kill it if it hangs; returns in words how it ended."""
        started = await child.started()
        place.unstarted = place.unstarted + 1 if started is None else 0
        since = time.monotonic()
        watching: asyncio.Task[None] | None = None
        if started is not None:
            place.is_serving = True
            if started.hung_after:
                watching = asyncio.create_task(self._replace_hung(child, started.hung_after))
        try:
            how = await child.wait()
        finally:
            place.is_serving = False
            if watching is not None:
                watching.cancel()
        lived = started is not None and time.monotonic() - since > _FIRST_SECONDS
        place.early = 0 if lived else place.early + 1
        return how

    async def _replace_hung(self, child: Child, hung_after: float) -> None:
        """Kill a worker as soon as its event loop has made no progress for too long."""
        look = min(_LOOK_SECONDS, hung_after / 4)
        silent, seen, before = 0.0, child.beats, time.monotonic()
        while silent < hung_after:
            await asyncio.sleep(look)
            now = time.monotonic()
            # At most two checks count: if this process slept, too, the worker does not hang.
            silent = 0.0 if child.beats != seen else silent + min(now - before, 2 * look)
            seen, before = child.beats, now
        stack = await child.stack()
        self._logger.critical("worker hangs and is replaced", pid=child.pid, seconds=round(silent, 1), stack=stack)
        child.kill()
