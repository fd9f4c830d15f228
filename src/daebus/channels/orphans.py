"""Orphaned listeners: the service no longer has them, but their events are still kept. They are logged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import Unavailable
from daebus.telemetry.logs import Logger

from .listener_groups import ListenerGroups, ListenerState

__all__ = ["OrphanWatch"]

_LOOK_SECONDS = 60.0


class OrphanWatch:
    """Looks for listeners that no instance of the service has, at the start and each minute, and logs each once.

    Args:
        node: This process.
        service: The service's name.
        logger: For the orphans.
    """

    def __init__(self, node: Node, service: str, logger: Logger) -> None:
        self._service = service
        self._groups = ListenerGroups(node, service)
        self._logger = logger
        self._told: set[tuple[str, str]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start looking. Call it once this instance's own listeners are recorded."""
        await self.look()
        self._task = asyncio.create_task(self._look_on(), name="orphaned listeners")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look once; log the orphans that were not logged before."""
        try:
            states = await self._groups.all(retrying=False)
            orphans = {(one.channel, one.group): one for one in states if not one.instances}
            self._told &= orphans.keys()
            for at in orphans.keys() - self._told:
                self._tell(orphans[at], await self._groups.retrying(orphans[at].group, orphans[at].channel))
                self._told.add(at)
        except (Unavailable, CommandError) as error:
            self._logger.debug("could not search for orphaned listeners", reason=str(error))

    def _tell(self, state: ListenerState, retrying: int) -> None:
        since = None if state.oldest is None else datetime.fromtimestamp(state.oldest / 1000, UTC).isoformat()
        which = f"{self._service} {state.channel} {state.listener}"
        self._logger.warning(
            "orphaned listener: no instance has it, and the channel keeps its events",
            channel=state.channel,
            listener=state.listener,
            waiting=state.waiting,
            pending=state.pending,
            retrying=retrying,
            since=since,
            remedy=f"daebus listeners drop {which}, or daebus listeners hand-over {which} NEW",
        )
