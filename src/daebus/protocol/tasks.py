"""The keys of background tasks, and the messages about them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["TaskAct", "declared_tasks", "decode_act", "task_channel", "task_record", "task_runs", "wanted_runs"]


def declared_tasks(service: str) -> str:
    """The hash with the description of each task of a service, by its name."""
    return f"daebus:{{{service}}}:tasks"


def task_record(service: str, task: str) -> str:
    """The hash with the state of a task."""
    return f"daebus:{{{service}}}:task:{task}"


def task_runs(service: str, task: str) -> str:
    """The stream with the last runs of a task."""
    return f"{task_record(service, task)}:runs"


def wanted_runs(service: str, task: str) -> str:
    """The list of the runs of a task that were asked for."""
    return f"{task_record(service, task)}:wanted"


def task_channel(service: str) -> str:
    """The channel that tells the instances of a service that something was changed at a task."""
    return f"daebus:{{{service}}}:tasks:changed"


class TaskAct(msgspec.Struct, frozen=True):
    """A message on this channel.

    Attributes:
        task: The task.
        what: What was done, such as ``pause``.
        who: Who has done it, such as ``ann@host``.
    """

    task: str
    what: str
    who: str


decode_act: Callable[[bytes], TaskAct] = msgspec.json.Decoder(TaskAct).decode
