"""What an app is made of: compiled, checked and ready to be run."""

from __future__ import annotations

from dataclasses import dataclass

from daebus.transports.edge import DaebusHttp, DaebusWebSocket
from daebus.transports.limits import Limits
from daebus.wiring.endpoints import Endpoint
from daebus.wiring.workers import WorkerPool

from .container import ServiceContainer
from .plans import Plans

__all__ = ["Assembly"]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What an app is made of, ready to be run.

    Attributes:
        service: The name under which it is served.
        plans: Its compiled handlers.
        container: Where their services come from.
        workers: Where ``def`` handlers run.
        max_concurrency: How many messages one handler handles at once.
        partitions: How many streams each action has.
        stop_timeout: Seconds that the work in hand may take at the stop.
        lease: Seconds after its last heartbeat at which an instance counts as dead.
        legacy: Whether it speaks with services and callers of daebus 0.0.31.
        limits: What it takes from those who ask it.
        http: The settings of its HTTP; None: it has none.
        websocket: The settings of its WebSockets; None: it has none.
    """

    service: str
    plans: Plans
    container: ServiceContainer
    workers: WorkerPool
    max_concurrency: int
    partitions: int
    stop_timeout: float
    lease: float
    legacy: bool
    limits: Limits
    http: DaebusHttp | None
    websocket: DaebusWebSocket | None

    def concurrency(self, endpoint: Endpoint[object], wanted: int | None = None) -> int:
        """How many messages of a handler are taken at once: of a ``def`` handler, no more than there are threads."""
        limit = wanted or self.max_concurrency
        return limit if endpoint.signature.is_async else min(limit, self.workers.limit)
