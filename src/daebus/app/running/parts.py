"""The parts of a running service: ``async with part.serving(run)`` opens and closes each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from daebus.app.assembly import Assembly
from daebus.app.container import Provided
from daebus.app.kinds import BACKGROUND, ON_START, ON_STOP
from daebus.core.context import Fence
from daebus.declare.schedules import Run
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.grace import LIFECYCLE_SECONDS
from daebus.discovery.contract_checks import checking_contracts
from daebus.discovery.responder import Responder
from daebus.errors import StartupError
from daebus.process.hangs import Hangs
from daebus.process.watchdog import Watchdog, hung_seconds
from daebus.tasks.scheduler import ScheduledTask, Scheduler
from daebus.tasks.steering import Steering
from daebus.wiring.resources import cause_of

from .bus_parts import Actions, Channels, OldCalls, Queues, Registry
from .introspection import Introspection

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
        Discovery(),
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
        ContractChecks(),
    ]


class Discovery:
    """The answers to questions about this instance: from before the start of the others to after their stop."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Answer until the end."""
        run.introspection = Introspection(run)
        responder = Responder(run.node, run.made.service, run.introspection.answer, run.logger)
        try:
            await responder.start()
            yield
        finally:
            await responder.stop()


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


class Schedules:
    """The background tasks."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Run each task when it is due, until the end."""
        made, lease, on_lapse = run.made, run.made.settings.lease, run.made.settings.on_lapse
        names = {"service": made.service, "instance": run.node.id}
        scheduler = Scheduler(run.node.link, **names, logger=run.logger, lease=lease, on_lapse=on_lapse)
        tasks = [
            ScheduledTask(
                name=spec.name,
                schedule=spec.schedule,
                scope=spec.scope,
                run=self._running(run, endpoint),
                delayed=partial(run.node.counts.delayed, spec.name),
                policy=spec.policy,
            )
            for spec, endpoint in ((plan.spec, plan.endpoint) for plan in made.plans.of(BACKGROUND))
        ]
        steering = Steering(run.node, made.service, scheduler.wake, run.logger)
        try:
            await steering.start()
            await scheduler.start(tasks)
            yield
        finally:
            await steering.stop()
            await scheduler.stop(run.grace)

    def _running(self, run: Runtime, endpoint: Endpoint[None]) -> Callable[[Run | None], asyncio.Future[str | None]]:
        delivery = run.delivery(endpoint)

        async def once(part: Run | None) -> str | None:
            fence = None if part is None else Fence(part.token)
            outcome = await delivery.deliver(run.internal(delivery, "task", fence, part))
            if outcome.problem is None:
                return None
            if not outcome.is_logged:
                run.logger.error("background task failed", handler=delivery.title, reason=outcome.problem.message)
            error = outcome.error
            return f"{type(error).__name__}: {error}" if outcome.is_logged else outcome.problem.message

        return lambda part: asyncio.ensure_future(once(part))


class ContractChecks:
    """The check of the contracts of other services, if the settings ask for it."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Check them in the background."""
        if not run.made.settings.check_contracts:
            yield
            return
        from daebus.export.contracts import contracts_of  # noqa: PLC0415  # it loads Litestar

        async with checking_contracts(run.node, contracts_of(run.made).calls, run.logger):
            yield


class Watch:
    """The watchdog of the event loop."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Log where the event loop is blocked, until the end; if it hangs, let others take over."""
        hangs = Hangs(run.lease, run.logger, lambda: run.exit_hung)
        limit = hung_seconds(run.made.settings.hung_after)
        run.watchdog = Watchdog(run.logger, limit, hangs, lambda: run.has_started)
        with run.watchdog:
            yield
