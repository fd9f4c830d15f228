"""The container that a service's own container extends: what daebus itself provides."""

from __future__ import annotations

from dependency_injector import containers, providers

from daebus.core.logs import Logger
from daebus.transports.bus import Bus
from daebus.transports.clients import Clients
from daebus.transports.connection import Redis
from daebus.transports.threads import Threads

from .blocking import BlockingBus, BlockingClients

__all__ = ["ServiceContainer"]


class ServiceContainer(containers.DeclarativeContainer):
    """Base of a service's container. Its providers are filled when the service starts.

    Attributes:
        bus: The way to other services, for ``async def`` handlers.
        blocking_bus: The same for ``def`` handlers and threads.
        clients: The WebSocket clients of all replicas, for ``async def`` handlers.
        blocking_clients: The same for ``def`` handlers and threads.
        logger: Structured logging, bound to the service and, inside a handler, to the handler and its request id.
        redis: An ordinary redis-py client of the service's server.
        threads: Starts and stops the threads of the service.
    """

    bus: providers.Dependency[Bus] = providers.Dependency(instance_of=Bus)
    blocking_bus: providers.Dependency[BlockingBus] = providers.Dependency(instance_of=BlockingBus)
    clients: providers.Dependency[Clients] = providers.Dependency(instance_of=Clients)
    blocking_clients: providers.Dependency[BlockingClients] = providers.Dependency(instance_of=BlockingClients)
    logger: providers.Dependency[Logger] = providers.Dependency(instance_of=Logger)
    redis: providers.Dependency[Redis] = providers.Dependency(instance_of=Redis)
    threads: providers.Dependency[Threads] = providers.Dependency(instance_of=Threads)
