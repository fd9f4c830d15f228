"""Cancellation: whether the task itself was cancelled, or only something that it waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["is_cancelled", "never_swallowing"]


def is_cancelled() -> bool:
    """Whether the running task is being cancelled, and not only something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextmanager
def never_swallowing() -> Generator[None]:
    """Raise `asyncio.CancelledError` at the end of the block if the task was cancelled inside, and a library hid that.

    Without this the task continues, and a task that has cancelled it and waits for its end waits without limit.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
