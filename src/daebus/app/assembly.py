"""The parts of an app: compiled, checked and ready to run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

__all__ = ["Assembly"]

_VERSION_VARIABLE = "DAEBUS_VERSION"


class Assembly(msgspec.Struct, frozen=True):
    """The parts of an app, ready to run.

    Attributes:
        service: The name under which it is served.
        plans: Its compiled handlers.
        container: Provides the services of the handlers.
        workers: The thread pool for ``def`` handlers.
        settings: How it runs.
        http: The HTTP settings; None: the app has no HTTP.
        websocket: The WebSocket settings; None: the app has no WebSockets.
        interceptors: The interceptors of all messages.
        components: The other components that the app opens and closes.
        stopping: Whether the run of the app is stopping.
        timings: Internal timeouts and intervals that are not in the settings.
        warnings: Probable mistakes, which do not keep the app from starting.
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
    warnings: tuple[WiringProblem, ...] = ()

    def http_handlers(self) -> list[ControllerRouterHandler]:
        """The Litestar handlers of its components."""
        return [handler for component in self.components for handler in component.http_handlers()]

    @property
    def version(self) -> str | None:
        """The version of the service, from the settings or the environment; None: it is unknown."""
        return self.settings.version or os.environ.get(_VERSION_VARIABLE) or None

    def concurrency(self, endpoint: Endpoint[object], wanted: int | None = None) -> int:
        """How many messages a handler handles at once; for a ``def`` handler, at most the number of threads."""
        limit = wanted or self.settings.max_concurrency
        return limit if endpoint.signature.is_async else min(limit, self.workers.limit)
