"""`open_caller`: a caller with its own connections, for scripts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from daebus.connection.find_server import find_server
from daebus.connection.node import open_node
from daebus.discovery.contract_checks import checking_contracts, imported_contracts
from daebus.legacy.dialect import dialect_of
from daebus.protocol.limits import BusLimits
from daebus.telemetry.logs import make_logger

from .caller import Caller

__all__ = ["open_caller"]


@asynccontextmanager
async def open_caller(
    url: str | None, limits: BusLimits, *, legacy: bool | None, check_contracts: bool
) -> AsyncGenerator[Caller]:
    """Open a caller with its own connections.

    Args:
        url: The server; None: the one that `find_server` finds.
        limits: How large a payload may be.
        legacy: See `dialect_of`.
        check_contracts: Whether the log has a warning for each outdated contract in the imported modules.

    Raises:
        ConfigurationError: The URL, or DAEBUS_LEGACY, is wrong.
        StartupError: The server cannot be reached, or refuses.
    """
    dialect = dialect_of(legacy)
    logger = make_logger()
    async with find_server(url, logger) as server, open_node(server) as node, AsyncExitStack() as stack:
        if check_contracts:
            await stack.enter_async_context(checking_contracts(node, imported_contracts(), logger))
        yield Caller(node, None, limits, dialect(node))
