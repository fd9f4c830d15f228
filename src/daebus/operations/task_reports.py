"""What operators see of a background task and of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from daebus.protocol.fences import drawn_fence

__all__ = ["RunReport", "TaskReport", "number_in", "run_report"]


class RunReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run that has ended. Times are in ms of the server's clock.

    Attributes:
        scheduled_for: The time for which it was.
        started: When it has started.
        ended: When it has ended; if it was interrupted, when this was noticed.
        outcome: ``succeeded``, ``failed``, ``cancelled``, or ``interrupted``: its instance has vanished.
        token: Its fencing token.
        instance: The instance that has run it.
        by: Why it ran: ``schedule``, ``trigger`` or ``backfill``.
        who: Who has asked for it; empty: the schedule.
        reason: Why it has not succeeded; empty: it has.
    """

    scheduled_for: int
    started: int
    ended: int
    outcome: str
    token: str
    instance: str
    by: str = "schedule"
    who: str = ""
    reason: str = ""


class TaskReport(msgspec.Struct, frozen=True):
    """A background task that the replicas of a service share. Times are in ms of the server's clock.

    Attributes:
        service: Its service.
        task: Its name.
        schedule: Its interval, such as ``every 60 s``, or its cron expression and the time zone.
        next: When the next run is due; None: the schedule is paused.
        last: The last run that has ended; None: none is kept.
        running: The instance that runs it now; None: none does.
        paused: Since when the schedule is paused; None: it is not.
        paused_by: Who has paused it, or ``pause_after``; None: it is not paused.
        missed: How many times have had no run.
        failures: How many runs in a row have failed.
        waiting: How many runs were asked for that have not started.
    """

    service: str
    task: str
    schedule: str
    next: int | None
    last: RunReport | None
    running: str | None
    paused: int | None
    paused_by: str | None
    missed: int
    failures: int
    waiting: int


def run_report(fields: Sequence[bytes]) -> RunReport:
    """The report of an entry in the history of a task."""
    found = {
        name.decode(): value.decode(errors="replace") for name, value in zip(fields[::2], fields[1::2], strict=True)
    }
    return RunReport(
        scheduled_for=number_in(found, "scheduled"),
        started=number_in(found, "begun"),
        ended=number_in(found, "ended"),
        outcome=found.get("outcome", "?"),
        token=drawn_fence(number_in(found, "token")),
        instance=found.get("instance", "?"),
        by=found.get("by", "schedule"),
        who=found.get("who", ""),
        reason=found.get("reason", ""),
    )


def number_in(fields: Mapping[str, str], name: str) -> int:
    """A number among the fields of a record; 0 if it is not there."""
    text = fields.get(name, "")
    return int(text) if text.isdecimal() else 0
