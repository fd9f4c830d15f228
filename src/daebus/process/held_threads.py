"""What the log says when all threads for ``def`` handlers are held, and when they are free again."""

from __future__ import annotations

from daebus.delivery.standing import busy_threads
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

__all__ = ["HeldThreads"]

_MOST_TOLD = 10


class HeldThreads:
    """Tells that the threads of a pool are held, and by which handlers. If that happens often, not each time.

    Args:
        name: The name of the threads.
        logger: The log.
    """

    def __init__(self, name: str, logger: Logger) -> None:
        self._name = name
        self._logger = logger
        self._tally = Tally(reminds=True)
        self._is_told = False

    def held(self) -> None:
        """All threads are held."""
        self._is_told = self._tally.add()
        if self._is_told:
            held = [str(one) for one in busy_threads(()) if one.name == self._name and one.handler is not None]
            self._logger.warning(
                "all threads are held: messages for def handlers are left to other instances",
                threads=len(held),
                held_by=held[:_MOST_TOLD],
                times=self._tally.count,
                remedy="let the calls in these lines time out, or raise Settings(max_workers=...)",
            )

    def freed(self) -> None:
        """A thread is free again."""
        if self._is_told:
            self._logger.info("a thread is free: messages for def handlers are taken again")
