"""What an app is made of: compiled, checked and ready to be run."""

from __future__ import annotations

import msgspec

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.core.stopping import Stopping
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.interceptors import NONE, Interceptors
from daebus.delivery.workers import WorkerPool
from daebus.mistakes.problem import WiringProblem

from .component import AttachedComponent
from .container import ServiceContainer
from .plans import Plans
from .settings import Settings

__all__ = ["Assembly"]


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
        interceptors: What stands around all messages.
        components: What else it opens and closes.
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
    interceptors: Interceptors = NONE
    components: tuple[AttachedComponent, ...] = ()
    stopping: Stopping = msgspec.field(default_factory=Stopping)
    timings: Timings = DEFAULT_TIMINGS
    doubts: tuple[WiringProblem, ...] = ()

    def concurrency(self, endpoint: Endpoint[object], wanted: int | None = None) -> int:
        """How many messages of a handler are taken at once: of a ``def`` handler, no more than there are threads."""
        limit = wanted or self.settings.max_concurrency
        return limit if endpoint.signature.is_async else min(limit, self.workers.limit)
