"""The container that a service's own container extends: what daebus itself provides."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from daebus.bus.blocking import BlockingBus
from daebus.bus.bus import Bus
from daebus.errors import StartupError
from daebus.tasks.threads import Threads
from daebus.telemetry.logs import Logger
from daebus.websocket.blocking_clients import BlockingClients
from daebus.websocket.clients import Clients
from daebus.wiring.late import LateDependency

if TYPE_CHECKING:
    from daebus.connection.redis_server import RedisServer
    from daebus.connection.session import Redis, RedisCluster

__all__ = ["ServiceContainer", "fitting_client"]


@cache
def _redis() -> type[Redis]:
    from daebus.connection.session import Redis  # noqa: PLC0415  # it loads redis-py, which not every app asks for

    return Redis


@cache
def _redis_cluster() -> type[RedisCluster]:
    from daebus.connection.session import RedisCluster  # noqa: PLC0415  # likewise

    return RedisCluster


class ServiceContainer(containers.DeclarativeContainer):
    """Base of a service's container. Its providers are filled when the service starts.

    Attributes:
        bus: The way to other services, for ``async def`` handlers.
        blocking_bus: The same for ``def`` handlers and threads.
        clients: The WebSocket clients of all replicas, for ``async def`` handlers.
        blocking_clients: The same for ``def`` handlers and threads.
        logger: Structured logging, bound to the service and, inside a handler, to the handler and its request id.
        redis: An ordinary redis-py client of the service's server, where that is no cluster.
        redis_cluster: An ordinary redis-py client of the service's cluster, where it is one.
        threads: Starts and stops the threads of the service.
    """

    bus: providers.Dependency[Bus] = providers.Dependency(instance_of=Bus)
    blocking_bus: providers.Dependency[BlockingBus] = providers.Dependency(instance_of=BlockingBus)
    clients: providers.Dependency[Clients] = providers.Dependency(instance_of=Clients)
    blocking_clients: providers.Dependency[BlockingClients] = providers.Dependency(instance_of=BlockingClients)
    logger: providers.Dependency[Logger] = providers.Dependency(instance_of=Logger)
    redis: providers.Dependency[Redis] = LateDependency(_redis)
    redis_cluster: providers.Dependency[RedisCluster] = LateDependency(_redis_cluster)
    threads: providers.Dependency[Threads] = providers.Dependency(instance_of=Threads)


def fitting_client(
    container: ServiceContainer, needed: Iterable[tuple[str, providers.Provider[object]]], server: RedisServer
) -> Redis | RedisCluster:
    """The redis-py client that the container is to offer.

    Args:
        container: The container.
        needed: What is going to be called, and by whom.
        server: The server.

    Raises:
        StartupError: Somebody needs the client of another kind of server than this one.
    """
    name, remedy = "redis_cluster", "is no cluster: take redis: Redis"
    if server.is_cluster:
        name, remedy = "redis", "is a cluster: take redis_cluster: RedisCluster"
    absent = container.providers[name]
    for user, provider in needed:
        if absent.last_overriding is None and absent in (provider, *provider.traverse()):
            raise StartupError(f"{user} needs {name!r}, and the server at {server.address} {remedy}.")
    return server.client()
