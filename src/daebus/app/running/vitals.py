"""The vitals of a run: what interceptors that measure need to know of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daebus.connection.node import Node
from daebus.operations.queue_states import QueueState, dead_count, queue_states
from daebus.protocol.discovery import Stats
from daebus.telemetry.counts import Counts

if TYPE_CHECKING:
    from .runtime import Runtime

__all__ = ["RunVitals"]


class RunVitals:
    """How a run of a service is doing.

    Args:
        run: The run.
    """

    def __init__(self, run: Runtime) -> None:
        self._run = run

    @property
    def node(self) -> Node:
        """The process on the bus."""
        return self._run.node

    @property
    def counts(self) -> Counts:
        """What has happened in the process."""
        return self._run.node.counts

    @property
    def streaming(self) -> frozenset[str]:
        """The labels of the handlers that stream their replies."""
        found = self._run.made.plans.compiled()
        return frozenset(f"{one.kind} {one.name}" for _, one in found if one.signature.streams)

    @property
    def now(self) -> int:
        """The time of the clock of the server, in ms."""
        return self._run.node.clock.now()

    def stats(self) -> Stats | None:
        """What the instance answers to the question of discovery; None: it answers no questions yet."""
        introspection = self._run.introspection
        return None if introspection is None else introspection.stats()

    async def queues(self) -> tuple[Sequence[QueueState], int]:
        """The queues of the service, of all instances, and the number of its dead letters.

        Raises `Unavailable`, and `CommandError` if the server refuses to tell.
        """
        node, service = self._run.node, self._run.made.service
        return await asyncio.gather(queue_states(node, service), dead_count(node, service))
