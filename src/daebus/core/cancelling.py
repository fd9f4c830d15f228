"""Telling who was cancelled: the task, or only what it has waited for."""

from __future__ import annotations

import asyncio

__all__ = ["is_cancelled"]


def is_cancelled() -> bool:
    """Whether the task that runs is being cancelled, and not only something that it has waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
