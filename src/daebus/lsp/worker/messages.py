"""What the server and its worker process send each other: one line of JSON for each struct."""

from __future__ import annotations

import msgspec

from daebus.checking.snapshot import Inspection, Snapshot

__all__ = ["Job", "Outcome", "Request"]


class Job(Inspection, frozen=True, kw_only=True):
    """A check of one app.

    Attributes:
        number: Its number, which its outcome repeats.
        seconds: How long it may take.
        megabytes: How much memory it may allocate.
    """

    number: int
    seconds: float
    megabytes: int


class Request(msgspec.Struct, frozen=True):
    """What the server asks of the worker: to do a job, to cancel one, or both."""

    job: Job | None = None
    cancel: int | None = None


class Outcome(msgspec.Struct, frozen=True):
    """The end of a job; `failure` says why there is no snapshot."""

    number: int
    snapshot: Snapshot | None = None
    failure: str | None = None
