"""One run of a service: everything that is opened, in order, and closed again in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

import msgspec
from dependency_injector import providers

from daebus.actions.farewell import Farewell
from daebus.actions.serving import ActionServer
from daebus.bus.blocking import BlockingTwin
from daebus.bus.bus import Bus
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.bus.queueing import tell_unserved
from daebus.channels.durable import ListenerHost
from daebus.channels.serving import ChannelServer
from daebus.channels.silent_channels import tell_silent
from daebus.connection.find_server import find_server
from daebus.connection.node import Node, open_node
from daebus.core.budgets import Budget
from daebus.declare.contracts import StreamAction
from daebus.delivery.delivery import Delivery
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.grace import LIFECYCLE_SECONDS, Grace
from daebus.discovery.directory import partitions_to_read
from daebus.discovery.presence import Presence
from daebus.errors import StartupError
from daebus.legacy.dialect import dialect_of
from daebus.process.watchdog import Watchdog
from daebus.protocol.messages import channel_instances, instance_registry
from daebus.queues.eviction import check_eviction
from daebus.queues.leases import Lease
from daebus.queues.retries import Retries
from daebus.tasks.scheduler import ScheduledTask, Scheduler
from daebus.tasks.threads import ServiceThreads, ThreadTask
from daebus.telemetry.logs import Logger, configure_logging, make_logger
from daebus.websocket.blocking_clients import BlockingClients
from daebus.websocket.clients import Clients
from daebus.websocket.replicas import Switchboard
from daebus.wiring.resources import open_resources

from .assembly import Assembly
from .container import fitting_client
from .served import served_actions, served_hub, served_listeners
from .unopened import cause_of, not_opened

if TYPE_CHECKING:
    from daebus.websocket.hub import SocketHub

__all__ = ["Runtime", "open_runtime"]


class Runtime:
    """A service that runs.

    Attributes:
        node: Its place on the bus.
        bus: Its way to other services.
        logger: Its logger.
        budget: What it may hold for its HTTP and WebSocket clients.
        hub: Its WebSocket connections; None: it has none.
        grace: How long its stop may take.
        farewell: Speaks for it on the bus where its stop does not end; None: it has not started.
    """

    def __init__(self, made: Assembly, node: Node, logger: Logger) -> None:
        self.node = node
        node.stopping = made.stopping
        self.logger = logger
        self.grace: Grace = Grace(made.settings.stop_timeout, logger)
        self._made = made
        self.budget: Budget = Budget(made.settings.max_buffered)
        self._dialect = dialect_of(made.settings.legacy)(node)
        self.bus: Bus = NodeBus(Caller(node, made.service, made.settings.limits, self._dialect), made.interceptors)
        self._presence: Presence | None = None
        self._readers: list[ChannelServer | ActionServer] = []
        self.farewell: Farewell | None = None
        self._threads = ServiceThreads(
            self._thread_tasks(), service=made.service, stopping=made.stopping, logger=logger
        )
        self.hub: SocketHub | None = None if made.websocket is None else served_hub(made, made.websocket, node, logger)
        if self.hub is not None:
            self.hub.budget = self.budget
        self._clients = Clients(Switchboard(node.link, made.service)) if self.hub is None else self.hub.clients

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Fill and open the container, start the handlers, and take work until the end; then drain, and close."""
        made, grace = self._made, self.grace
        made.stopping.clear()
        async with AsyncExitStack() as stack:
            stack.callback(made.workers.close)
            # What was built over this run's resources, or its bus, is of no use to the next one.
            stack.callback(made.container.reset_singletons)
            redis = fitting_client(made.container, made.plans.needed(), self.node.server)
            stack.push_async_callback(redis.aclose)
            stack.enter_context(self._provided(redis))
            explain = partial(not_opened, made.container, self.logger)
            await stack.enter_async_context(open_resources(made.container, explain, grace.close_resource))
            stack.push_async_callback(self._run_lifecycle, "stop")
            await self._run_lifecycle("start")
            self._threads.start_all()
            stack.push_async_callback(self._threads.stop_all, grace)
            await self._take_clients(stack)
            actions = await self._take_messages(stack, grace)
            await self._keep_schedules(stack, grace)
            await self._announce(stack, actions)
            for doubt in made.doubts:
                self.logger.warning(
                    "this may be a mistake", found=doubt.message, where=doubt.where, remedy=doubt.remedy
                )
            stack.enter_context(Watchdog(self.logger))
            yield
            self.begin_stop()

    def begin_stop(self) -> None:
        """The stop begins; nothing happens where it has begun."""
        self.grace.begin()
        self._made.stopping.set()

    async def take_no_more(self) -> None:
        """Leave the registry and read no more of the bus, before responses and connections that are open are drained.

        What is in hand goes on.
        """
        self.begin_stop()
        if self._presence is not None:
            await self._presence.stop()
        await asyncio.gather(*(server.quit() for server in self._readers))

    async def say_goodbye(self, hub: SocketHub) -> None:
        """Let go of all WebSocket clients, at the stop."""
        await hub.close_all(grace=self.grace.left, cut=self.grace.cut / 4)  # it cuts twice, and others come after it

    async def _take_clients(self, stack: AsyncExitStack) -> None:
        """Be ready for WebSocket clients from now on, until the stack is closed."""
        if self.hub is not None:
            await self.hub.start()
            self.node.when_forgotten(self.hub.renew_soon)
            stack.push_async_callback(self.hub.stop)
            stack.push_async_callback(self.say_goodbye, self.hub)

    async def _keep_schedules(self, stack: AsyncExitStack, grace: Grace) -> None:
        """Run the background tasks when they are due, from now on, until the stack is closed."""
        made, node = self._made, self.node
        scheduler = Scheduler(
            node.link, service=made.service, instance=node.id, logger=self.logger, lease=made.settings.lease
        )
        stack.push_async_callback(scheduler.stop, grace)
        await scheduler.start(self._scheduled())

    async def _announce(self, stack: AsyncExitStack, actions: ActionServer) -> None:
        """Stand in the registry from now on, until the stack is closed."""
        made, settings = self._made, self._made.settings
        served = list(made.plans.actions)
        presence = self._presence = Presence(self.node, made.service, served, settings.partitions, settings.lease)
        await presence.start()
        stack.push_async_callback(presence.stop)
        self.farewell = Farewell(self.node, made.service, presence, actions)
        await tell_unserved(self.node, made.service, settings.partitions, made.plans.actions, self.logger)

    async def _take_messages(self, stack: AsyncExitStack, grace: Grace) -> ActionServer:
        """Take events and requests from now on, until the stack is closed."""
        made, node, logger = self._made, self.node, self.logger
        listeners, served = served_listeners(made), served_actions(made)
        partitions = await partitions_to_read(node, made.service, made.settings.partitions)
        channels = sorted({channel_instances(listener.channel) for listener in listeners if listener.durable})
        lease = Lease(node, [*map(instance_registry, partitions), *channels], made.settings.lease, logger)
        stack.push_async_callback(lease.stop)
        await lease.start()
        limits = made.settings.limits
        retries = [Retries(node, partition, logger, limits.max_dead_size) for partition in partitions]
        for each in retries:
            stack.push_async_callback(each.stop)
            await each.start()
        actions = ActionServer(node, made.service, served, lease=lease, retries=retries, limits=limits, logger=logger)
        host = ListenerHost(node, made.service, lease, retries[0], logger)
        self._readers = [ChannelServer(host, listeners, limits), actions]
        streams = {one.name: one.endpoint.signature.streams for one in served}
        for server in (*self._dialect.servers(made.service, streams, lease, self._stream, logger), *self._readers):
            stack.push_async_callback(server.stop, grace)
            await server.start()
        await tell_silent(node.link, [one.channel for one in listeners if one.durable], logger)
        return actions

    def _stream(self, action: str, payload: msgspec.Raw) -> AsyncGenerator[msgspec.Raw]:
        return self.bus.stream(StreamAction[msgspec.Raw, msgspec.Raw](action, service=self._made.service), payload)

    @contextmanager
    def _provided(self, redis: object) -> Generator[None]:
        """Fill what the base container provides. Defaults, so that a user's override is never hidden."""
        container, loop = self._made.container, asyncio.get_running_loop()
        offered: dict[str, object] = {
            "bus": self.bus,
            "blocking_bus": BlockingTwin(self.bus, loop),
            "clients": self._clients,
            "blocking_clients": BlockingClients(self._clients, loop),
            "logger": self.logger,
            "redis_cluster" if self.node.server.is_cluster else "redis": redis,
            "threads": self._threads,
        }
        filled = [cast("providers.Dependency[object]", container.providers[name]) for name in offered]
        for dependency, value in zip(filled, offered.values(), strict=True):
            dependency.set_default(providers.Object(value))
        try:
            yield
        finally:
            for dependency in filled:
                dependency.set_default(None)

    async def _run_lifecycle(self, event: Literal["start", "stop"]) -> None:
        for plan in self._made.plans.lifecycle:
            if plan.spec.event != event:
                continue
            delivery, title = self._delivery(plan.endpoint), plan.spec.title
            incoming = self._internal(delivery, event)
            try:
                handling = delivery.handle(incoming)
                await (handling if event == "start" else self.grace.closed(handling, title, LIFECYCLE_SECONDS))
            except Exception as error:
                problem = delivery.problem(error, incoming)
                if event == "start":
                    raise StartupError(f"{title} ({plan.spec.where}) failed: {cause_of(error)}") from error
                self.logger.error("on_stop handler failed", handler=title, reason=problem.message)

    def _delivery(self, endpoint: Endpoint[None]) -> Delivery[None]:
        return Delivery(endpoint, self._made.service, self._made.stopping, self.logger)

    def _internal(self, delivery: Delivery[None], what: str) -> Incoming:
        """A message that comes from nobody outside."""
        return delivery.incoming(f"{what}-{self.node.new_request_id()}")

    def _scheduled(self) -> list[ScheduledTask]:
        return [
            ScheduledTask(
                name=plan.spec.name,
                schedule=plan.spec.schedule,
                scope=plan.spec.scope,
                run=self._background(plan.endpoint),
            )
            for plan in self._made.plans.background.values()
        ]

    def _background(self, endpoint: Endpoint[None]) -> Callable[[], asyncio.Future[None]]:
        delivery = self._delivery(endpoint)

        async def run() -> None:
            outcome = await delivery.deliver(self._internal(delivery, "task"))
            if outcome.problem is not None and not outcome.is_logged:
                self.logger.error("background task failed", handler=delivery.title, reason=outcome.problem.message)

        return lambda: asyncio.ensure_future(run())

    def _thread_tasks(self) -> list[ThreadTask]:
        return [
            ThreadTask(name, plan.endpoint, plan.spec.auto_start, plan.spec.restart, plan.spec.timeout)
            for name, plan in self._made.plans.threads.items()
        ]


@asynccontextmanager
async def open_runtime(made: Assembly, redis_url: str | None, *, tells_end: bool = True) -> AsyncGenerator[Runtime]:
    """Connect a service to its server, start it, and stop it at the end.

    Args:
        made: The app.
        redis_url: The server; None: the environment's, or the embedded one.
        tells_end: Whether the log is told how the stop went; else the caller has more to end, and sees to it.

    Raises:
        ConfigurationError: The URL is wrong, or there is none and the embedded engine is turned off.
        StartupError: The server cannot be reached, or would throw messages away; or a resource or an ``on_start``
            handler failed.
    """
    finding = find_server(redis_url, make_logger(service=made.service), timings=made.timings)
    async with finding as server, open_node(server) as node:
        logger = make_logger(service=made.service, instance=node.id)
        configure_logging(service=made.service, instance=node.id)
        await check_eviction(server, logger)
        runtime = Runtime(made, node, logger)
        async with runtime.serving():
            yield runtime
    if tells_end:
        runtime.grace.tell_end()
