"""`Runtime`: one run of a service, whose parts are opened in order, and closed in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from daebus.actions.exit_notifier import ExitNotifier
from daebus.actions.serving import ActionServer
from daebus.app.assembly import Assembly
from daebus.app.component import ServiceRun
from daebus.app.documents import OpenApi
from daebus.app.kinds import SOCKET, SOCKET_CONNECT, SOCKET_DISCONNECT, SOCKET_JOIN, THREAD
from daebus.asgi.settings import DaebusWebSocket
from daebus.bus.bus import Bus
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.channels.serving import ChannelServer
from daebus.connection.find_server import find_server
from daebus.connection.node import Node, open_node
from daebus.core.budgets import Budget
from daebus.core.context import Fence
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.grace import Grace
from daebus.discovery.presence import Presence
from daebus.errors import ConfigurationError
from daebus.health.readiness import Health
from daebus.legacy.dialect import OldWire, UnspokenOldWire, dialect_of
from daebus.operations.eviction import check_eviction
from daebus.payloads.schemas import Json
from daebus.process.hangs import ExitHung
from daebus.process.watchdog import Watchdog
from daebus.queues.leases import Lease
from daebus.queues.retries import Retries
from daebus.rooms.rooms import Rooms
from daebus.rooms.store import RoomStore
from daebus.tasks.threads import ServiceThreads, ThreadTask
from daebus.telemetry.logs import Logger, configure_logging, make_logger
from daebus.websocket.authentication import finding_users
from daebus.websocket.clients import Clients
from daebus.websocket.replicas import Replicas

from .health_checks import checks_of
from .parts import Part, parts_of
from .vitals import RunVitals

if TYPE_CHECKING:
    from daebus.websocket.hub import SocketHub

    from .introspection import Introspection

__all__ = ["Runtime", "open_runtime"]


class Runtime:
    """A running service, as its parts see it.

    Attributes:
        made: The app.
        node: Its node on the bus.
        bus: Calls other services and publishes events.
        logger: Its logger.
        budget: The memory budget for its HTTP and WebSocket clients.
        grace: How long its stop may take.
        dialect: The protocol for services and callers that run daebus 0.0.31.
        seen: The view that components have of it.
        threads: The thread handlers.
        hub: Its WebSocket connections; None: it has no WebSockets.
        clients: The WebSocket clients of all its replicas.
        rooms: The rooms of WebSocket clients.
        health: Whether this process is ready.
        has_started: Whether all its parts were opened.
        lease: The heartbeat of this process; set when its part is open, as are the next three attributes.
        retries: The retries of each partition that is read.
        actions: The server of its actions.
        readers: The readers of messages from the bus.
        presence: Its entry in the registry; None: not registered yet.
        exit_notifier: Reports on the bus that the process exits before its stop has ended; None: it has not started.
        introspection: What it says about itself; None: it answers no questions yet.
        openapi: Makes the OpenAPI document of its routes; raises `ConfigurationError` if it has none.
        watchdog: The watchdog of its event loop; None: not started yet.
        exit_hung: Ends the process if its event loop hangs; None: it must not be ended here.
    """

    lease: Lease
    retries: list[Retries]
    actions: ActionServer

    def __init__(self, made: Assembly, node: Node, logger: Logger, health: Health | None = None) -> None:
        self.made: Assembly = made
        self.node = node
        node.stopping = made.stopping
        node.signing_keys = made.settings.signing_keys
        self.logger = logger
        self.health: Health = health or Health(logger)
        self.grace: Grace = Grace(made.settings.stop_timeout, logger)
        self.budget: Budget = Budget(made.settings.max_buffered)
        self.dialect: OldWire | UnspokenOldWire = dialect_of(made.settings.legacy)(node)
        caller = Caller(node, made.service, made.settings.limits, self.dialect)
        self.bus: Bus = NodeBus(caller, made.interceptors)
        self.seen: ServiceRun = ServiceRun(
            made.service,
            node.id,
            logger=logger,
            bus=self.bus,
            container=made.container,
            stopping=made.stopping,
            grace=self.grace,
            vitals=RunVitals(self),
        )
        self.readers: list[ChannelServer | ActionServer] = []
        self.presence: Presence | None = None
        self.exit_notifier: ExitNotifier | None = None
        self.introspection: Introspection | None = None
        self.openapi: OpenApi = self._undocumented
        self.watchdog: Watchdog | None = None
        self.exit_hung: ExitHung | None = None
        tasks = [
            ThreadTask(plan.spec.name, plan.endpoint, plan.spec.auto_start, plan.spec.restart, plan.spec.timeout)
            for plan in made.plans.of(THREAD)
        ]
        self.threads: ServiceThreads = ServiceThreads(
            tasks, service=made.service, stopping=made.stopping, logger=logger
        )
        self.hub: SocketHub | None = None if made.websocket is None else self._make_hub(made.websocket)
        self.clients: Clients = Clients(Replicas(node.link, made.service)) if self.hub is None else self.hub.clients
        self.rooms: Rooms = Rooms(RoomStore(node.link, node.id))
        self.has_started: bool = False

    @asynccontextmanager
    async def serving(self, parts: Iterable[Part]) -> AsyncGenerator[None]:
        """Open the parts, take work until the end, then take no more and close them in reverse.

        The stop after a failed start has the same time limit.
        """
        self.made.stopping.clear()
        async with AsyncExitStack() as stack:
            try:
                for part in parts:
                    await stack.enter_async_context(part.serving(self))
                self.logger.info("service started")
                self.has_started = True
                self.health.run(checks_of(self))
                yield
                await self._drain()
            finally:
                self.health.stop()
                self.grace.begin(logs=self.has_started)
                await self.take_no_more()

    async def _drain(self) -> None:
        """Work as before for a while, so that load balancers notice that the service is no longer ready."""
        delay = self.made.settings.drain_delay
        self.health.stop()
        if delay:
            self.logger.info("service draining", seconds=delay)
            await asyncio.sleep(delay)

    async def take_no_more(self) -> None:
        """Leave the registry and read no more from the bus, before open connections are drained.

        Work in flight continues.
        """
        self.made.stopping.set()
        if self.presence is not None:
            await self.presence.stop()
        await asyncio.gather(*(reader.quit() for reader in self.readers))

    async def disconnect_clients(self, hub: SocketHub) -> None:
        """Disconnect all WebSocket clients at the stop."""
        await hub.close_all(grace=self.grace.left, cut=self.grace.cut / 4)  # it cancels twice, then others close

    def delivery(self, endpoint: Endpoint[None]) -> Delivery[None]:
        """The delivery of messages from daebus itself to a handler."""
        return Delivery(endpoint, self.made.service, self.made.stopping, self.logger)

    def internal(
        self, delivery: Delivery[None], what: str, fence: Fence | None = None, part: object = None
    ) -> Incoming:
        """A message from daebus itself, not from outside."""
        return delivery.incoming(f"{what}-{self.node.new_request_id()}", fenced=fence, part=part)

    def _undocumented(self) -> Json:
        raise ConfigurationError(f"{self.made.service} serves no HTTP")

    def _make_hub(self, settings: DaebusWebSocket) -> SocketHub:
        from daebus.websocket.hub import SocketHub, SocketRoutes  # noqa: PLC0415  # it loads Litestar

        made, plans = self.made, self.made.plans
        routes = SocketRoutes(
            messages={plan.spec.type: plan.endpoint for plan in plans.of(SOCKET)},
            connect=next((plan.endpoint for plan in plans.of(SOCKET_CONNECT)), None),
            disconnect=[plan.endpoint for plan in plans.of(SOCKET_DISCONNECT)],
            authenticate=finding_users(
                [
                    *(plan.endpoint for kind in (SOCKET, SOCKET_CONNECT) for plan in plans.of(kind)),
                    *(plan.endpoint for plan in plans.of(SOCKET_JOIN)),
                ],
                made.workers,
            ),
            joins=[(plan.spec.room, plan.endpoint) for plan in plans.of(SOCKET_JOIN)],
        )
        hub = SocketHub(settings, routes, service=made.service, node=self.node, logger=self.logger)
        hub.budget = self.budget
        return hub


@asynccontextmanager
async def open_runtime(
    made: Assembly,
    redis_url: str | None,
    servers: Iterable[Part] = (),
    *,
    health: Health | None = None,
    tells_end: bool = True,
) -> AsyncGenerator[Runtime]:
    """Connect a service to its server, start it, and stop it at the end.

    Args:
        made: The app.
        redis_url: The server; None: the one of the environment, or the embedded one.
        servers: The parts that are opened last: the servers for clients.
        health: The health of this process, if it is asked for before the service has started.
        tells_end: Whether the end of the stop is logged here; otherwise the caller has more to stop, and logs it.

    Raises:
        ConfigurationError: The URL is wrong, or it is missing and the embedded engine is turned off.
        StartupError: The server cannot be reached or could evict messages; or a resource, a component or an
            ``on_start`` handler failed.
    """
    finding = find_server(redis_url, make_logger(service=made.service), timings=made.timings)
    async with finding as server, open_node(server, made.settings.lease) as node:
        logger = make_logger(service=made.service, instance=node.id)
        configure_logging(service=made.service, instance=node.id)
        await check_eviction(server, logger)
        runtime = Runtime(made, node, logger, health)
        async with runtime.serving([*parts_of(made), *servers]):
            yield runtime
    if tells_end:
        runtime.grace.tell_end()
