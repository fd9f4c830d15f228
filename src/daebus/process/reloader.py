"""For development: a child process that serves and is restarted when a file of the project changes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType]  # it names trio

from daebus.mistakes.places import show_path
from daebus.telemetry.logs import configure_logging, make_logger

from .children import Child
from .signals import StopSignals

__all__ = ["Reloader", "SourceFilter"]


class SourceFilter(PythonFilter):
    """Python files, except those of environments, caches and the embedded engine."""

    ignore_dirs: Sequence[str] = (*PythonFilter.ignore_dirs, ".daebus", ".ruff_cache", "venv")


class Reloader:
    """Runs a service until SIGTERM or SIGINT, which it passes on, and restarts it after each change.

    A service that ends by itself, for example because of a mistake in its code, is restarted after the next change.

    Args:
        arguments: The command line of the service: ``run TARGET ...``.
        folders: Where its Python files lie.
    """

    def __init__(self, arguments: Sequence[str], folders: Sequence[Path]) -> None:
        self._arguments = list(arguments)
        self._folders = list(folders)
        self._changed = asyncio.Event()
        self._child: Child | None = None
        self._logger = make_logger()

    async def run(self) -> int:
        """Run it until a signal comes, and return the exit code."""
        configure_logging(service="reload", instance=str(os.getpid()))
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it reports each change too
        keeping = asyncio.create_task(self._keep())
        with StopSignals(asyncio.get_running_loop(), keeping.cancel, self._force):
            await asyncio.wait({keeping})
            if self._child is not None:
                await self._child.stop()
        if not keeping.cancelled():
            keeping.result()
        return 0

    def _force(self, number: int) -> NoReturn:
        if self._child is not None:
            self._child.kill()
        os._exit(128 + number)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            while True:
                self._changed.clear()
                self._child = await Child.start(self._arguments, apart=False)
                await self._until_changed(self._child)
                await self._child.stop()

    async def _watch(self) -> None:
        async for changes in awatch(*self._folders, watch_filter=SourceFilter()):
            self._logger.info("files changed, restarting", files=sorted({show_path(path) for _, path in changes}))
            self._changed.set()

    async def _until_changed(self, child: Child) -> None:
        ended = asyncio.create_task(child.wait())
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
            if not changed.done():
                self._logger.warning("the service ended, waiting for a change", how=ended.result())
            await changed
        finally:
            ended.cancel()
            changed.cancel()
