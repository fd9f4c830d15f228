"""``daebus check --watch``: a check in a process of its own after each change."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]  # it names trio

from daebus.process.reloader import SourceFilter

__all__ = ["watch"]


async def watch(arguments: Sequence[str], folders: Sequence[Path]) -> None:
    """Check an app, and again after each change of a Python file, until SIGINT or SIGTERM.

    Args:
        arguments: The command line of the check: ``check TARGET ...``.
        folders: Where its files are.
    """
    task = asyncio.ensure_future(_keep(arguments, folders))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


async def _keep(arguments: Sequence[str], folders: Sequence[Path]) -> None:
    changes = awatch(*folders, watch_filter=SourceFilter())
    while True:
        # Before the check, so that no change during it is missed.
        changed = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        click.clear()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "daebus", *arguments), stdin=DEVNULL, start_new_session=True
        )
        ending = asyncio.ensure_future(_told(process))
        try:
            await asyncio.wait({changed, ending}, return_when=asyncio.FIRST_COMPLETED)
            await changed
        finally:
            changed.cancel()
            ending.cancel()
            _end(process)
            await process.wait()


async def _told(process: Process) -> None:
    await process.wait()
    click.echo(f"\nChecked at {time.strftime('%X')}, waiting for a change. Ctrl-C ends.", err=True)


def _end(process: Process) -> None:
    """End a check and all that it has started."""
    with suppress(ProcessLookupError):  # it has left nothing
        os.killpg(process.pid, signal.SIGKILL)
