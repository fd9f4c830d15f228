"""A history, put together from its records: operations, the runs of their handlers, and what was broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from .records import Record, What

__all__ = ["FAILOVER", "KILLED", "NEVER", "OVERDUE", "Fault", "History", "Lapse", "Letter", "Operation", "Run"]

NEVER = float("inf")

FAILOVER = "failover"
"""The kind of a fault after which a replica of the server may be the primary: what it had not yet got is lost."""

KILLED, OVERDUE = "killed", "killed, as it did not stop in time"
"""Codes of the deaths of processes; else their exit codes."""


class Operation(msgspec.Struct):
    """Something that a client did.

    Attributes:
        id: Unique.
        kind: ``send``, ``event``, ``call``, ``keyed``, ``stream`` and so on.
        subject: What its handler's runs are recorded under.
        began: When it was invoked.
        outcome: ``ok``, ``fail`` (surely not taken) or ``unknown``.
        ended: When its outcome was known.
        value: The reply.
        code: The error.
    """

    id: str
    kind: str
    subject: str
    began: float
    outcome: What = "unknown"
    ended: float = NEVER
    value: str = ""
    code: str = ""


class Run(msgspec.Struct):
    """A run of a handler.

    Attributes:
        id: Unique.
        process: Who ran it.
        subject: What it was about.
        began: When.
        ended: When it ended; or when its process died.
        effects: When it had its effects.
        fence: The fence of its delivery.
        code: ``ok``, ``error``, ``cancelled``; empty: it did not end.
        value: Its reply.
    """

    id: str
    process: str
    subject: str
    began: float
    ended: float = NEVER
    effects: list[float] = []
    code: str = ""
    value: str = ""
    fence: str = ""


class Fault(msgspec.Struct, frozen=True):
    """Something that was broken.

    Attributes:
        kind: What.
        targets: Which processes; empty: all.
        since: From when on.
        until: Until when.
    """

    kind: str
    targets: tuple[str, ...]
    since: float
    until: float = NEVER

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.until - self.since

    def hits(self, process: str) -> bool:
        """Whether it is this process's own fault, and not everyone's."""
        return process in self.targets

    def meets(self, since: float, until: float) -> bool:
        """Whether it was there at some time from `since` to `until`."""
        return self.since <= until and since <= self.until


class Lapse(msgspec.Struct, frozen=True):
    """A process has logged that it was cut off for longer than its lease.

    Attributes:
        process: The process.
        at: When it was logged.
        seconds: For how long it was cut off.
    """

    process: str
    at: float
    seconds: float


class Letter(msgspec.Struct, frozen=True):
    """A dead letter.

    Attributes:
        subject: What it is about.
        code: The error's code.
        reason: The error's sentence.
    """

    subject: str
    code: str
    reason: str


class History:
    """What happened.

    Attributes:
        records: All records, by time.
        operations: What the clients did, by the id.
        about: The operations that are about a subject.
        runs: The runs of handlers, by their subject, in the order of their beginnings.
        faults: What was broken.
        deaths: When processes died.
        exits: With which codes: `KILLED`, `OVERDUE`, or an exit code.
        stops: When processes were told to stop.
        lapses: Which of them logged that they were cut off.
        letters: The dead letters, by their ids.
        leases: The leases of the replicas, in seconds.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.records: Sequence[Record] = sorted(records, key=lambda record: record.at)
        self.operations: dict[str, Operation] = {}
        self.about: defaultdict[str, list[Operation]] = defaultdict(list)
        self.runs: defaultdict[str, list[Run]] = defaultdict(list)
        self.faults: list[Fault] = []
        self.deaths: dict[str, float] = {}
        self.exits: dict[str, str] = {}
        self.stops: dict[str, float] = {}
        self.lapses: list[Lapse] = []
        self.letters: dict[str, Letter] = {}
        self.leases: dict[str, float] = {}
        self._runs: dict[str, Run] = {}
        self._open: dict[str, Fault] = {}
        for record in self.records:
            self._take(record)
        self.faults += self._open.values()
        for run in self._runs.values():
            run.ended = min(run.ended, self.deaths.get(run.process, NEVER))

    def lease_of(self, process: str) -> float:
        """The lease of a replica in seconds."""
        return self.leases.get(process, 2.0)

    def kind_of(self, subject: str) -> str:
        """The kind of the operations that are about a subject."""
        operations = self.about.get(subject)
        return operations[0].kind if operations else ""

    def _take(self, record: Record) -> None:
        match record.what:
            case "invoke":
                operation = Operation(record.id, record.kind, record.subject, record.at)
                self.operations[record.id] = operation
                self.about[record.subject].append(operation)
            case "ok" | "fail" | "unknown":
                self._end_operation(record)
            case "start" | "effect" | "end":
                self._take_run(record)
            case "fault" | "healed" | "starved":
                self._take_fault(record)
            case "died":
                # A process that kills itself says so; the arena sees it later.
                self.deaths.setdefault(record.process, record.at)
                self.exits[record.process] = record.code
            case "stopping":
                self.stops[record.process] = record.at
            case "lease":
                self.leases[record.process] = record.seconds
            case "lapse":
                self.lapses.append(Lapse(record.process, record.at, record.seconds))
            case "letter":
                self.letters[record.id or record.subject] = Letter(record.subject, record.code, record.value)

    def _end_operation(self, record: Record) -> None:
        operation = self.operations[record.id]
        operation.outcome, operation.ended = record.what, record.at
        operation.value, operation.code = record.value, record.code

    def _take_run(self, record: Record) -> None:
        if record.what == "start":
            run = self._runs[record.id] = Run(record.id, record.process, record.subject, record.at, fence=record.value)
            self.runs[run.subject].append(run)
        elif record.what == "effect":
            self._runs[record.id].effects.append(record.at)
        else:
            run = self._runs[record.id]
            run.ended, run.code, run.value = record.at, record.code, record.value

    def _take_fault(self, record: Record) -> None:
        if record.what == "starved":
            self.faults.append(Fault("starved", (record.process,), record.at - record.seconds, record.at))
        elif record.what == "fault":
            self._open[record.id] = Fault(record.kind, record.targets, record.at)
        else:
            fault = self._open.pop(record.id)
            self.faults.append(msgspec.structs.replace(fault, until=record.at))
