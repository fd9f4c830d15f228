"""Which server: the one that is named, or the embedded one of the project."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus.core.logs import Logger

from .embedded import join_embedded
from .topology import RedisServer

__all__ = ["find_server"]

REDIS_URL_VARIABLE = "DAEBUS_REDIS_URL"


@asynccontextmanager
async def find_server(url: str | None, logger: Logger) -> AsyncGenerator[RedisServer]:
    """The server at `url`, else at the environment's DAEBUS_REDIS_URL, else the project's embedded one.

    Raises:
        ConfigurationError: The URL is wrong, or the embedded engine is turned off.
        StartupError: The embedded engine does not start.
    """
    named = url or os.environ.get(REDIS_URL_VARIABLE)
    if named:
        yield RedisServer.from_url(named)
        return
    engine = await asyncio.to_thread(join_embedded)
    try:
        logger.info(engine.notice)
        yield RedisServer.from_url(engine.url, revive=engine.revive)
    finally:
        await asyncio.to_thread(engine.close)
