"""`open_caller`: a caller over connections of its own, for scripts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus.connection.find_server import find_server
from daebus.connection.node import open_node
from daebus.protocol.limits import BusLimits
from daebus.telemetry.logs import make_logger

from .caller import Caller

__all__ = ["open_caller"]


@asynccontextmanager
async def open_caller(url: str | None, limits: BusLimits, *, legacy: bool) -> AsyncGenerator[Caller]:
    """A way to ask over connections of its own, to the server at `url`, else to the one that `find_server` finds.

    Raises:
        ConfigurationError: The URL is wrong.
        StartupError: The server cannot be reached, or refuses.
    """
    async with find_server(url, make_logger()) as server, open_node(server) as node:
        yield Caller(node, None, limits, legacy=legacy)
