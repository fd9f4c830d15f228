"""The console as a process of its own: its HTTP server, from start to stop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus.asgi.settings import DaebusHttp
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.connection.node import Node
from daebus.core.stopping import Stopping
from daebus.http.application import build_litestar
from daebus.legacy.dialect import dialect_of
from daebus.protocol.limits import BusLimits
from daebus.server.server import HttpServer
from daebus.telemetry.logs import Logger

from .console import Console
from .routes import console_router

__all__ = ["serving_console"]

_STOP_SECONDS = 0.5
_NAME = "console"


@asynccontextmanager
async def serving_console(console: Console, node: Node, *, host: str, port: int, logger: Logger) -> AsyncGenerator[int]:
    """Serve a console inside of the block; gives its port.

    Args:
        console: The console.
        node: This process.
        host: The address to listen on.
        port: The port; 0: any free one.
        logger: The log.

    Raises:
        StartupError: The port is taken, or cannot be listened on.
    """
    application = build_litestar(
        DaebusHttp(schema=False, health=False),
        [],
        service=_NAME,
        stopping=Stopping(),
        logger=logger,
        extra_handlers=[console_router(console, "/")],
    )
    application.guard.listens_on(host)
    bus = NodeBus(Caller(node, None, BusLimits(), dialect_of(None)(node), warns=False))
    server = HttpServer(application, host=host, port=port, logger=logger)
    async with console.opened(node, bus, logger) as desk:
        bound = await server.start()
        try:
            yield bound
        finally:
            desk.close()
            await server.stop(_STOP_SECONDS)
