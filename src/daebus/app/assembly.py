"""What an app is made of: compiled, checked and ready to be run."""

from __future__ import annotations

import msgspec

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.core.stopping import Stopping
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.declare.options import require_count, require_counts, require_seconds
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.workers import WorkerPool
from daebus.mistakes.problem import WiringProblem
from daebus.protocol.limits import Limits
from daebus.protocol.messages import MAX_PARTITIONS

from .container import ServiceContainer
from .plans import Plans

__all__ = ["Assembly", "Settings"]


class Settings(msgspec.Struct, frozen=True):
    """How an app runs, as `Daebus` explains it.

    Attributes:
        max_concurrency: How many messages one handler handles at once.
        partitions: How many streams each action has.
        stop_timeout: Seconds that the work in hand may take at the stop.
        lease: Seconds after its last heartbeat at which an instance counts as dead.
        legacy: Whether it speaks with services and callers of daebus 0.0.31; None: as the environment says.
        limits: What it takes from those who ask it.
        max_buffered: How many bytes it holds for its HTTP and WebSocket clients.
    """

    max_concurrency: int
    partitions: int
    stop_timeout: float
    lease: float
    legacy: bool | None
    limits: Limits
    max_buffered: int

    def check(self, subject: str) -> None:
        """Refuse what is out of its range. Raises `WiringError`."""
        limits = self.limits
        require_counts(subject, max_concurrency=self.max_concurrency, max_buffered=self.max_buffered)
        require_counts(subject, max_message_size=limits.message_size, max_streams=limits.streams_per_caller)
        require_counts(subject, max_reply_size=limits.reply_size, max_dead_size=limits.dead_size)
        require_count(subject, "partitions", self.partitions, most=MAX_PARTITIONS)
        require_seconds(subject, "stop_timeout", self.stop_timeout, or_zero=True)
        require_seconds(subject, "lease", self.lease)


class Assembly(msgspec.Struct, frozen=True):
    """What an app is made of, ready to be run.

    Attributes:
        service: The name under which it is served.
        plans: Its compiled handlers.
        container: Where their services come from.
        workers: Where ``def`` handlers run.
        settings: How it runs.
        http: The settings of its HTTP; None: it has none.
        websocket: The settings of its WebSockets; None: it has none.
        stopping: Whether its run stops.
        timings: How long the engine waits, beside what the settings say.
        doubts: What is probably a mistake, but need not be.
    """

    service: str
    plans: Plans
    container: ServiceContainer
    workers: WorkerPool
    settings: Settings
    http: DaebusHttp | None
    websocket: DaebusWebSocket | None
    stopping: Stopping = msgspec.field(default_factory=Stopping)
    timings: Timings = DEFAULT_TIMINGS
    doubts: tuple[WiringProblem, ...] = ()

    def concurrency(self, endpoint: Endpoint[object], wanted: int | None = None) -> int:
        """How many messages of a handler are taken at once: of a ``def`` handler, no more than there are threads."""
        limit = wanted or self.settings.max_concurrency
        return limit if endpoint.signature.is_async else min(limit, self.workers.limit)
