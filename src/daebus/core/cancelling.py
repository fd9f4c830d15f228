"""Cancellation: whether the task itself was cancelled, or only something that it waited for; and exits."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["EXITS", "is_cancelled", "never_swallowing", "without_exit"]

EXITS = (SystemExit, KeyboardInterrupt)
"""If they were let through, they would end the event loop, and one message would end all work in the process."""


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


def without_exit(title: str, error: BaseException) -> BaseException:
    """The failure of what runs for a handler: the error; if it would end the process, another one with this cause."""
    if not isinstance(error, EXITS):
        return error
    failed = RuntimeError(f"{title} raised {type(error).__name__}")
    failed.__cause__ = error
    return failed
