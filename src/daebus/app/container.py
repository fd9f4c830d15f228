"""The base class of service containers, with the providers of daebus itself, and how a run fills them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, cast

from dependency_injector import containers, providers

from daebus.bus.blocking import BlockingBus
from daebus.bus.blocking_twin import BlockingTwin
from daebus.bus.bus import Bus
from daebus.delivery.workers import THREAD_NAME
from daebus.errors import StartupError
from daebus.process.held_threads import HeldThreads
from daebus.rooms.blocking import BlockingRooms
from daebus.rooms.rooms import Rooms
from daebus.tasks.threads import Threads
from daebus.telemetry.logs import Logger
from daebus.websocket.blocking_clients import BlockingClients
from daebus.websocket.clients import Clients
from daebus.wiring.late import LateDependency
from daebus.wiring.resources import not_opened, open_resources

if TYPE_CHECKING:
    from daebus.connection.redis_server import RedisServer
    from daebus.connection.session import Redis, RedisCluster

    from .running.runtime import Runtime

__all__ = ["Provided", "ServiceContainer"]


@cache
def _redis() -> type[Redis]:
    from daebus.connection.session import Redis  # noqa: PLC0415  # it loads redis-py, which not every app asks for

    return Redis


@cache
def _redis_cluster() -> type[RedisCluster]:
    from daebus.connection.session import RedisCluster  # noqa: PLC0415  # likewise

    return RedisCluster


class ServiceContainer(containers.DeclarativeContainer):
    """Base of a service's container. Its providers are filled when the service starts."""

    bus: providers.Dependency[Bus] = providers.Dependency(instance_of=Bus)
    """Calls other services and publishes events, for ``async def`` handlers."""
    blocking_bus: providers.Dependency[BlockingBus] = providers.Dependency(instance_of=BlockingBus)
    """The blocking version of `bus`, for ``def`` handlers and threads."""
    clients: providers.Dependency[Clients] = providers.Dependency(instance_of=Clients)
    """The WebSocket clients of all replicas, for ``async def`` handlers."""
    blocking_clients: providers.Dependency[BlockingClients] = providers.Dependency(instance_of=BlockingClients)
    """The blocking version of `clients`, for ``def`` handlers and threads."""
    rooms: providers.Dependency[Rooms] = providers.Dependency(instance_of=Rooms)
    """The rooms of WebSocket clients, on all replicas, for ``async def`` handlers."""
    blocking_rooms: providers.Dependency[BlockingRooms] = providers.Dependency(instance_of=BlockingRooms)
    """The blocking version of `rooms`, for ``def`` handlers and threads."""
    logger: providers.Dependency[Logger] = providers.Dependency(instance_of=Logger)
    """Structured logging, bound to the service and, inside a handler, to the handler and its request id."""
    redis: providers.Dependency[Redis] = LateDependency(_redis)
    """An ordinary redis-py client for the service's server, if that is not a cluster."""
    redis_cluster: providers.Dependency[RedisCluster] = LateDependency(_redis_cluster)
    """An ordinary redis-py client for the service's server, if that is a cluster."""
    threads: providers.Dependency[Threads] = providers.Dependency(instance_of=Threads)
    """Starts and stops the threads of the service."""


def _fitting_client(
    container: ServiceContainer, needed: Iterable[tuple[str, providers.Provider[object]]], server: RedisServer
) -> Redis | RedisCluster:
    """The redis-py client that the container provides.

    Args:
        container: The container.
        needed: The providers that will be called, and who needs them.
        server: The server.

    Raises:
        StartupError: A handler or provider needs the client for the other kind of server.
    """
    name, remedy = "redis_cluster", "is no cluster: take redis: Redis"
    if server.is_cluster:
        name, remedy = "redis", "is a cluster: take redis_cluster: RedisCluster"
    absent = container.providers[name]
    for user, provider in needed:
        if absent.last_overriding is None and absent in (provider, *provider.traverse()):
            raise StartupError(f"{user} needs {name!r}, and the server at {server.address} {remedy}.")
    return server.client()


class Provided:
    """The container of a running service, as a part: its daebus providers are filled and its resources are open."""

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Fill it and open its resources; close them in reverse at the end."""
        made = run.made
        async with AsyncExitStack() as stack:
            stack.callback(made.workers.close)
            told = HeldThreads(THREAD_NAME, run.logger)
            made.workers.slots.watch(told.held, told.freed)
            # Singletons that use the resources or the bus of this run cannot be used by the next run.
            stack.callback(made.container.reset_singletons)
            redis = _fitting_client(made.container, made.plans.needed(), run.node.server)
            stack.push_async_callback(redis.aclose)
            stack.enter_context(_filled(run, redis))
            explain = partial(not_opened, made.container, run.logger)
            await stack.enter_async_context(open_resources(made.container, explain, run.grace.close_resource))
            # A `def` handler that was cancelled runs on in its thread, and uses the resources.
            stack.push_async_callback(lambda: made.workers.drain(run.grace.left))
            yield


@contextmanager
def _filled(run: Runtime, redis: object) -> Generator[None]:
    """Fill the providers of the base container, as defaults, so that overrides of the user keep precedence."""
    container, loop = run.made.container, asyncio.get_running_loop()
    offered: dict[str, object] = {
        "bus": run.bus,
        "blocking_bus": BlockingTwin(run.bus, loop),
        "clients": run.clients,
        "blocking_clients": BlockingClients(run.clients, loop),
        "rooms": run.rooms,
        "blocking_rooms": BlockingRooms(run.rooms, loop),
        "logger": run.logger,
        "redis_cluster" if run.node.server.is_cluster else "redis": redis,
        "threads": run.threads,
    }
    filled = [cast("providers.Dependency[object]", container.providers[name]) for name in offered]
    for dependency, value in zip(filled, offered.values(), strict=True):
        dependency.set_default(providers.Object(value))
    try:
        yield
    finally:
        for dependency in filled:
            dependency.set_default(None)
