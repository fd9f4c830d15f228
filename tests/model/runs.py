"""The runs of the models: which constants, and what is to be found."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

__all__ = ["LARGE", "RUNS", "Run"]


class Run(msgspec.Struct, frozen=True):
    """One exhaustive search.

    Attributes:
        model: The file in this folder, without its ending.
        title: What is searched, and its bounds.
        constants: The constants of the model that differ from those in its file.
        finds: The message of the property that the model must violate; None: it must hold.
    """

    model: str
    title: str
    constants: Mapping[str, int] = MappingProxyType({})
    finds: str | None = None


ROBBED = "an owner is robbed that sent each heartbeat in time"
EARLY = "an owner is robbed before its lease is over"
UNOWNED_START = "a handler starts for an entry of another instance"
UNOWNED_END = "an instance settles an entry of another one"
INNOCENT = "a dead letter of an entry that never was alone when an instance died"
OLDER = "the outcome of an earlier run is stored"
TWO_RUNS = "two requests with one key run at once"
DROPPED = "an instance drops the outcome that it has stored"
ENDLESS = "a request never ends"

# A clock that is set back needs the true ages, also of what is long past.
_BACK = {"Steps": 1, "Clock": 2, "Past": 12, "Ago": -10}

RUNS = (
    Run("lease", "hangs, freezes, stalled links, deaths, old heartbeats; any number of each"),
    Run("lease", "the same, and a new replica has half the lease", {"LeaseB": 3, "LateStart": 1}),
    Run("lease", "the same, and a new replica has twice the lease", {"LeaseA": 3, "LateStart": 1}),
    Run("lease", "the same, and the clock is set forward, more than half a lease, once", {"Steps": 1}),
    Run("lease", "the clock is set forward by less, once; no hangs", {"Steps": 1, "Clock": 1, "Hangs": 0}),
    Run("lease", "the clock is set back, once; only hangs", {**_BACK, "Faults": 0}),
    Run("lease", "the registry is lost, once", {"Losses": 1}),
    Run("entries", "3 instances, 2 calls: a death or stop, a lapse, lost answers", {"Deaths": 1}),
    Run("entries", "3 instances, 2 calls: 2 deaths or stops, lost answers", {"Lapses": 0}),
    Run("keys", "2 instances, 2 requests with one key: a death, 2 lapses, a failure, a lost answer"),
    Run("keys", "2 instances, 3 requests with one key: the same", {"Requests": 3}),
    # What must be found.
    Run("lease", "wrong: the replica decides to take over, not the script", {"Variant": 1, "Faults": 0}, ROBBED),
    Run("lease", "wrong: a gap is judged by the own heartbeat alone", {"Variant": 2, "Faults": 0}, ROBBED),
    Run(
        "lease",
        "wrong: judged by the lease of the instance that takes over",
        {"Variant": 3, "Faults": 0, "Hangs": 0, "LeaseB": 2},
        EARLY,
    ),
    Run(
        "lease",
        "wrong: a heartbeat hides the step of the clock",
        {"Variant": 4, "Faults": 0, "Hangs": 0, "Steps": 1},
        EARLY,
    ),
    Run("lease", "wrong: a registry without the note has no gap", {"Variant": 5, "Losses": 1}, ROBBED),
    Run("lease", "limit: two stalls, and between them not all are served", {"Chained": 1, "Faults": 0}, ROBBED),
    Run(
        "lease",
        "limit: a small step of the clock and a stall in one lease",
        {"Steps": 1, "Clock": 1, "Faults": 0},
        ROBBED,
    ),
    Run("entries", "wrong: all suspects are claimed and counted at once", {"Variant": 1, "Lost": 0}, INNOCENT),
    Run("entries", "wrong: a suspect whose answer was lost frees the turn", {"Variant": 2}, INNOCENT),
    Run("entries", "wrong: started after a lapse without a check", {"Variant": 3}, UNOWNED_START),
    Run("entries", "wrong: settled after a lapse without a check", {"Variant": 4}, UNOWNED_END),
    Run("entries", "wrong: an answer is trusted that is older than a lease", {"Variant": 5}, UNOWNED_START),
    Run("keys", "wrong: an outcome is stored by whoever has it", {"Variant": 1}, OLDER),
    Run("keys", "wrong: a request runs beside another one with its key", {"Variant": 2}, TWO_RUNS),
    Run("keys", "wrong: an outcome is not recognised when it is sent again", {"Variant": 3}, DROPPED),
    Run("keys", "wrong: after a failure nothing that waits runs", {"Variant": 4}, ENDLESS),
)

LARGE = (
    Run("lease", "3 instances", {"Instances": 3}),
    Run("lease", "the clock is set back, once; hangs, freezes, stalled links, deaths", _BACK),
    Run("entries", "3 instances, 2 calls: 2 deaths or stops, a lapse, lost answers"),
)
"""Searches that take from some minutes to an hour."""
