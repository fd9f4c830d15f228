"""The record of a background task that replicas share, and the atomic steps on it.

It is one hash in Redis, ``daebus:{SERVICE}:task:NAME``, with times in milliseconds of the server's clock: ``last`` is
the start of the last run. During a run, ``owner`` is the instance that runs it, ``until`` is the end of its lease, and
``seen`` is the last time at which the owner or another instance asked. ``fence`` is the number of the last run for its
fence: it grows with each run, and is never behind the clock, so that it also grows if the record is lost. The other
fields are described in docs/protocol.md.
"""

from __future__ import annotations

import zlib
from typing import Literal, NamedTuple, TypeAlias

from daebus.connection.link import Link
from daebus.errors import DaebusError
from daebus.protocol.tasks import declared_tasks, task_record, task_runs, wanted_runs

from .record_scripts import ASK, RELEASE, RENEW

__all__ = ["NO_CLAIM", "Claim", "End", "TaskRecord", "TaskState"]

Outcome: TypeAlias = Literal["succeeded", "failed", "cancelled", "returned"]


class Claim(NamedTuple):
    """What an instance knows when it asks for a run.

    Attributes:
        known: The number of the last run that it started; with another one, the answer to its last claim was lost.
        target: The time for which the run is; 0: the time when it is due.
        missed: How many times before that had no run.
        mark: What becomes the recorded start; 0: now.
        stale: From when on the run is no longer to be started, because the next one is due; 0: never.
        period: The interval in ms; 0: there is none.
        basis: The ends on which the time when it is due depends, as `TaskState.basis`; empty: it depends on none.
    """

    known: int = 0
    target: int = 0
    missed: int = 0
    mark: int = 0
    stale: int = 0
    period: int = 0
    basis: str = ""


NO_CLAIM = Claim()


class TaskState(NamedTuple):
    """The answer of `TaskRecord.ask`, in milliseconds of the server's clock.

    Attributes:
        won: Whether the task was claimed.
        now: The time.
        last: The start of the last run; of this one if it was claimed.
        held_until: The end of the lease of the instance that has the task; 0: none has it.
        held_for: The lease of that instance.
        fence: The number of the claimed run for its fence, larger than that of any run before; 0: it was not claimed.
        lost: Whether there was no record although this instance had seen one.
        scheduled: The time for which the claimed run is.
        by: Why it runs: ``schedule``, ``trigger`` or ``backfill``.
        who: Who has asked for it; empty: the schedule.
        previous: The latest time for which a run has succeeded; 0: none has.
        ended: The end of the last run; 0: unknown.
        resumed: When the schedule was resumed; 0: it never was.
        paused: When it was paused; 0: it is not.
        missed: How many times without a run were counted with this claim.
        gone: The instance that has vanished during its run, which was recorded as interrupted; empty: none has.
        stopped: After how many failures in a row the task was paused with this question; 0: it was not.
    """

    won: bool
    now: int
    last: int
    held_until: int
    held_for: int
    fence: int
    lost: bool
    scheduled: int
    by: str
    who: str
    previous: int
    ended: int
    resumed: int
    paused: int
    missed: int
    gone: str
    stopped: int

    @property
    def basis(self) -> str:
        """The ends of the last run and of the last pause."""
        return f"{self.ended} {self.resumed}"


class End(NamedTuple):
    """How a run has ended; ``returned``: it has not begun, and others may claim it."""

    outcome: Outcome = "succeeded"
    reason: str = ""


SUCCEEDED = End()


class TaskRecord:
    """The record of a task in Redis. All methods raise `Unavailable` and `CommandError`.

    Attributes:
        jitter: Seconds, at most 0.02, by which this instance is late, so that not all ask at once.
    """

    def __init__(
        self,
        link: Link,
        *,
        service: str,
        task: str,
        instance: str,
        lease: float,
        pause_after: int = 0,
        history: int = 100,
    ) -> None:
        self._link = link
        self._key = task_record(service, task)
        self._keys = [self._key, task_runs(service, task), wanted_runs(service, task)]
        self._declared = (declared_tasks(service), task)
        self.jitter: float = zlib.crc32(f"{instance} {self._key}".encode()) % 20 / 1000
        self._instance = instance
        self._lease_ms = round(lease * 1000)
        self._limits = (pause_after, history)

    async def declare(self, description: bytes) -> None:
        """Record what the task is, for operators."""
        key, task = self._declared
        await self._link.execute("HSET", key, task, description)

    async def ask(self, last: int, due: int, watched: int, latest: int = 0, claim: Claim = NO_CLAIM) -> TaskState:
        """Read the record; also claim the task if `last` is right, it is `due` (0: no claim) and no instance holds it.

        A run that was asked for is claimed at any time. An expired lease no longer holds the task if its end was
        `watched`. A recorded start later than now and than `latest` was recorded before the clock was set back;
        `latest`, or now, takes its place.
        """
        arguments = (self._instance, self._lease_ms, last, due, watched, latest, *claim, *self._limits)
        reply = await self._link.script(ASK, self._keys, arguments)
        if not isinstance(reply, list) or len(reply) != len(TaskState._fields):
            raise DaebusError(f"The server answered a question about {self._key} with {reply!r}: is it Redis?")
        numbers = [each if isinstance(each, int) else 0 for each in reply]
        texts = [each.decode() if isinstance(each, bytes) else "" for each in reply]
        won, now, last_run, held_until, held_for, fence, lost, scheduled = numbers[:8]
        previous, ended, resumed, paused, missed = numbers[10:15]
        return TaskState(
            won=bool(won),
            now=now,
            last=last_run,
            held_until=held_until,
            held_for=held_for,
            fence=fence,
            lost=bool(lost),
            scheduled=scheduled,
            by=texts[8],
            who=texts[9],
            previous=previous,
            ended=ended,
            resumed=resumed,
            paused=paused,
            missed=missed,
            gone=texts[15],
            stopped=numbers[16],
        )

    async def renew(self, started: int, fence: int) -> bool:
        """Extend the lease of the run that was `started` then; False: another instance has the task."""
        arguments = (self._instance, self._lease_ms, started, fence)
        return await self._link.script(RENEW, [self._key], arguments) == 1

    async def release(self, last: int, fence: int, end: End = SUCCEEDED, state: TaskState | None = None) -> int:
        """End the run with this fence; `last` becomes the recorded start. Does nothing if another run has the task.

        Returns:
            After how many failures in a row the task is paused now; 0: it is not.
        """
        run = (last, last, "schedule", "", 0)
        if state is not None:
            run = (state.scheduled, state.now, state.by, state.who, state.missed)
        arguments = (self._instance, last, fence, *end, *run, *self._limits)
        match await self._link.script(RELEASE, self._keys, arguments):
            case [_, int(stopped)]:
                return stopped
            case _:
                return 0
