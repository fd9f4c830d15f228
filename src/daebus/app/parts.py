"""The parts of a running service: ``async with part.serving(run)`` opens and closes each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec

from daebus.actions.exit_notifier import ExitNotifier
from daebus.actions.serving import ActionServer, ServedAction
from daebus.bus.queueing import tell_unserved
from daebus.channels.durable import ListenerHost, listener_registry
from daebus.channels.groups import Listener
from daebus.channels.serving import ChannelServer
from daebus.channels.silent_channels import tell_silent
from daebus.core.context import Fence
from daebus.declare.contracts import StreamAction
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.grace import LIFECYCLE_SECONDS
from daebus.discovery.directory import partitions_to_read
from daebus.discovery.presence import Presence
from daebus.errors import StartupError
from daebus.legacy.callers import OldCallers
from daebus.process.hangs import Hangs
from daebus.process.watchdog import Watchdog, hung_seconds
from daebus.protocol.messages import instance_registry
from daebus.queues.leases import Lease
from daebus.queues.retries import Retries
from daebus.tasks.scheduler import ScheduledTask, Scheduler
from daebus.wiring.resources import cause_of

from .assembly import Assembly
from .container import Provided
from .kinds import ACTION, BACKGROUND, LISTEN, ON_START, ON_STOP

if TYPE_CHECKING:
    from .runtime import Runtime

__all__ = ["Part", "parts_of"]


class Part(Protocol):
    """A part of a running service."""

    def serving(self, run: Runtime, /) -> AbstractAsyncContextManager[None]:
        """Open it, and close it at the end, within the time that `Runtime.grace` leaves."""
        ...


def parts_of(made: Assembly) -> list[Part]:
    """The parts of a service in the order of opening, without its HTTP and WebSocket servers."""
    return [
        Provided(),
        Lifecycle(),
        *made.components,
        Threads(),
        Sockets(),
        Queues(),
        OldCalls(),
        Channels(),
        Actions(),
        Schedules(),
        Registry(),
        Watch(),
    ]


class Lifecycle:
    """The ``on_start`` and ``on_stop`` handlers; all ``on_stop`` handlers run, even if the start failed."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Run the ``on_start`` handlers, and at the end the ``on_stop`` handlers."""
        try:
            await self._start(run)
            yield
        finally:
            await self._stop(run)

    async def _start(self, run: Runtime) -> None:
        for plan in run.made.plans.of(ON_START):
            delivery = run.delivery(plan.endpoint)
            incoming = run.internal(delivery, "start")
            try:
                await delivery.handle(incoming)
            except Exception as error:
                delivery.problem(error, incoming)
                raise StartupError(f"{plan.spec.title} ({plan.spec.where}) failed: {cause_of(error)}") from error

    async def _stop(self, run: Runtime) -> None:
        for plan in run.made.plans.of(ON_STOP):
            delivery, title = run.delivery(plan.endpoint), plan.spec.title
            incoming = run.internal(delivery, "stop")
            try:
                await run.grace.closed(delivery.handle(incoming), title, LIFECYCLE_SECONDS)
            except Exception as error:
                problem = delivery.problem(error, incoming)
                run.logger.error("on_stop handler failed", handler=title, reason=problem.message)


class Threads:
    """The thread handlers."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Start the threads that start with the service, and stop all threads at the end."""
        run.threads.start_all()
        try:
            yield
        finally:
            await run.threads.stop_all(run.grace)


class Sockets:
    """The WebSocket clients, if the service has WebSockets."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Prepare for clients, and disconnect all of them at the end."""
        hub = run.hub
        if hub is None:
            yield
            return
        await hub.start()
        run.node.when_forgotten(hub.renew_soon)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(hub.stop)
            stack.push_async_callback(run.disconnect_clients, hub)
            yield


class Queues:
    """The lease of this process and the retries, which the readers of actions and durable channels share."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Renew the lease, and redeliver messages whose retry is due."""
        made, node, settings = run.made, run.node, run.made.settings
        partitions = await partitions_to_read(node, made.service, settings.partitions)
        durable = {plan.spec.channel for plan in made.plans.of(LISTEN) if plan.spec.is_durable}
        of_listeners = {listener_registry(node, made.service, channel) for channel in durable}
        registries = sorted({*map(instance_registry, partitions), *of_listeners})
        run.lease = Lease(node, registries, settings.lease, run.logger, on_lapse=settings.on_lapse)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(run.lease.stop)
            await run.lease.start()
            run.retries = [Retries(node, name, run.logger, settings.limits.max_dead_size) for name in partitions]
            for each in run.retries:
                stack.push_async_callback(each.stop)
                await each.start()
            yield


class OldCalls:
    """The actions for callers that still run daebus 0.0.31, if the service supports them."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Take their requests until the end."""
        service = run.made.service
        streams = {plan.spec.name: plan.endpoint.signature.streams for plan in run.made.plans.of(ACTION)}

        def stream(action: str, payload: msgspec.Raw) -> AsyncGenerator[msgspec.Raw]:
            return run.bus.stream(StreamAction[msgspec.Raw, msgspec.Raw](action, service=service), payload)

        async with AsyncExitStack() as stack:
            for server in run.dialect.servers(service, streams, run.lease, stream, run.logger):
                await stack.enter_async_context(_serving(server, run))
            yield


class Channels:
    """The listeners."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Take events until the end."""
        host = ListenerHost(run.node, run.made.service, run.lease, run.retries[0], run.logger)
        server = ChannelServer(host, _served_listeners(run.made), run.made.settings.limits)
        run.readers.append(server)
        async with _serving(server, run):
            yield


class Actions:
    """The actions."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Take requests until the end; then send the replies of the requests in flight."""
        made = run.made
        server = run.actions = ActionServer(
            run.node,
            made.service,
            _served_actions(made),
            lease=run.lease,
            retries=run.retries,
            limits=made.settings.limits,
            logger=run.logger,
        )
        run.readers.append(server)
        async with _serving(server, run):
            durable = [plan.spec.channel for plan in made.plans.of(LISTEN) if plan.spec.is_durable]
            await tell_silent(run.node.link, durable, run.logger)
            yield


class Schedules:
    """The background tasks."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Run each task when it is due, until the end."""
        made, lease, on_lapse = run.made, run.made.settings.lease, run.made.settings.on_lapse
        names = {"service": made.service, "instance": run.node.id}
        scheduler = Scheduler(run.node.link, **names, logger=run.logger, lease=lease, on_lapse=on_lapse)
        tasks = [
            ScheduledTask(name=spec.name, schedule=spec.schedule, scope=spec.scope, run=self._running(run, endpoint))
            for spec, endpoint in ((plan.spec, plan.endpoint) for plan in made.plans.of(BACKGROUND))
        ]
        try:
            await scheduler.start(tasks)
            yield
        finally:
            await scheduler.stop(run.grace)

    def _running(self, run: Runtime, endpoint: Endpoint[None]) -> Callable[[Fence | None], asyncio.Future[None]]:
        delivery = run.delivery(endpoint)

        async def once(fence: Fence | None) -> None:
            outcome = await delivery.deliver(run.internal(delivery, "task", fence))
            if outcome.problem is not None and not outcome.is_logged:
                run.logger.error("background task failed", handler=delivery.title, reason=outcome.problem.message)

        return lambda fence: asyncio.ensure_future(once(fence))


class Registry:
    """The registry, where callers see that this process serves the service and its actions."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Stay registered until the end, or until `Runtime.take_no_more`."""
        made, node, settings = run.made, run.node, run.made.settings
        names = [plan.spec.name for plan in made.plans.of(ACTION)]
        presence = run.presence = Presence(node, made.service, names, settings.partitions, settings.lease)
        await presence.start()
        try:
            run.exit_notifier = ExitNotifier(node, made.service, presence, run.actions)
            await tell_unserved(node, made.service, settings.partitions, names, run.logger)
            for one in made.warnings:
                run.logger.warning("this may be a mistake", found=one.message, where=one.where, remedy=one.remedy)
            yield
        finally:
            await presence.stop()


class Watch:
    """The watchdog of the event loop."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Log where the event loop is blocked, until the end; if it hangs, let others take over."""
        hangs = Hangs(run.lease, run.logger, lambda: run.exit_hung)
        with Watchdog(run.logger, hung_seconds(run.made.settings.hung_after), hangs, lambda: run.has_started):
            yield


@asynccontextmanager
async def _serving(server: OldCallers | ChannelServer | ActionServer, run: Runtime) -> AsyncGenerator[None]:
    try:
        await server.start()
        yield
    finally:
        await server.stop(run.grace)


def _served_actions(made: Assembly) -> list[ServedAction]:
    return [
        ServedAction(one.spec.name, one.endpoint, made.concurrency(one.endpoint, one.spec.concurrency), one.spec.policy)
        for one in made.plans.of(ACTION)
    ]


def _served_listeners(made: Assembly) -> list[Listener]:
    return [
        Listener(
            one.spec.channel,
            one.spec.is_durable,
            one.spec.name,
            one.endpoint,
            made.concurrency(one.endpoint),
            *(one.spec.policy, one.spec.identity, one.spec.keep),
        )
        for one in made.plans.of(LISTEN)
    ]
