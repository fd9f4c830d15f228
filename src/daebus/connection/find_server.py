"""Which server: the one that is named, or the embedded one of the project."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.embedded.deployment import REDIS_URL_VARIABLE, refuse_surprise
from daebus.embedded.engine import engine_runs, join_embedded
from daebus.embedded.place import find_project, project_folder
from daebus.errors import ConfigurationError, StartupError
from daebus.telemetry.logs import Logger

from .redis_server import RedisServer

__all__ = ["EngineStart", "find_server"]

EngineStart: TypeAlias = Literal["always", "in project", "with data", "never"]
"""When to start an embedded engine that does not run: always, in a project, in one that has data, or never."""

_ELSE = "set DAEBUS_REDIS_URL, or pass --redis-url"


@asynccontextmanager
async def find_server(
    url: str | None, logger: Logger, *, start: EngineStart = "always", timings: Timings = DEFAULT_TIMINGS
) -> AsyncGenerator[RedisServer]:
    """The server at `url`, else at the environment's DAEBUS_REDIS_URL, else the project's embedded one.

    Args:
        url: The URL; None: not given.
        logger: Logs that the embedded engine is used.
        start: Whether to start an embedded engine that does not run.
        timings: The timeouts and intervals for the server.

    Raises:
        ConfigurationError: The URL is wrong, or no server is named and an embedded engine is not allowed.
        StartupError: The embedded engine does not run, and cannot or must not be started.
    """
    named = url or os.environ.get(REDIS_URL_VARIABLE)
    if named:
        yield RedisServer.from_url(named, timings=timings)
        return
    refuse_surprise()
    folder = project_folder() if start == "always" else await asyncio.to_thread(_folder_to_join, start)
    engine = await asyncio.to_thread(join_embedded, folder)
    try:
        logger.info(engine.notice)
        yield RedisServer.from_url(engine.url, revive=engine.revive, timings=timings)
    finally:
        await asyncio.to_thread(engine.close)


def _folder_to_join(start: EngineStart) -> Path:
    """The project whose engine may be joined. Nothing is written before this check."""
    folder = find_project()
    if folder is None:
        raise ConfigurationError(
            f"No Redis URL is given, and {Path.cwd()} is not in a project, so there is no embedded engine: "
            f"go to the folder of the project, {_ELSE}."
        )
    if engine_runs(folder) or start == "in project":
        return folder
    if start == "with data" and (folder / ".daebus").exists():
        return folder
    raise StartupError(
        f"The embedded engine of {folder} does not run, so no service of the project runs: start one, {_ELSE}."
    )
