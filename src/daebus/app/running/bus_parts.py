"""The parts of a running service that receive from the bus."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from daebus.actions.exit_notifier import ExitNotifier
from daebus.actions.serving import ActionServer, ServedAction
from daebus.app.assembly import Assembly
from daebus.app.kinds import ACTION, LISTEN
from daebus.bus.queueing import tell_unserved
from daebus.channels.durable import ListenerHost, listener_registry
from daebus.channels.groups import Listener
from daebus.channels.serving import ChannelServer
from daebus.channels.silent_channels import tell_silent
from daebus.declare.contracts import StreamAction
from daebus.discovery.directory import partitions_to_read
from daebus.discovery.presence import Presence
from daebus.legacy.callers import OldCallers
from daebus.protocol.messages import instance_registry
from daebus.queues.leases import Lease
from daebus.queues.retries import Retries

if TYPE_CHECKING:
    from .runtime import Runtime

__all__ = ["Actions", "Channels", "OldCalls", "Queues", "Registry"]


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
