"""The server of the probes, on a port of their own: from before the start of the service to after its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus.health.probes import Probes
from daebus.health.readiness import Health
from daebus.server.limits import ServerLimits
from daebus.telemetry.logs import Logger

__all__ = ["serving_probes"]

_CONNECTIONS = 64
_GRACE_SECONDS = 0.2


@asynccontextmanager
async def serving_probes(health: Health, host: str, port: int, *, logger: Logger) -> AsyncGenerator[int]:
    """Answer probes inside of the block; gives the port.

    Raises:
        StartupError: The port cannot be listened on.
    """
    from daebus.server.server import HttpServer  # noqa: PLC0415  # it loads Granian

    probes, limits = Probes(health, details=True), ServerLimits(connections=_CONNECTIONS)
    server = HttpServer(probes, host=host, port=port, logger=logger, share_port=True, limits=limits)
    bound = await server.start()
    logger.info("answering probes", protocol="health", host=host, port=bound)
    try:
        yield bound
    finally:
        await server.stop(_GRACE_SECONDS)
