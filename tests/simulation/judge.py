"""The judge of a history: what was promised, checked line by line."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from .fleet import Event

__all__ = ["Run", "judge", "runs_of"]

_CUT_OFF = {"kill", "freeze", "partition", "stall"}
"""The faults after which an instance may count as dead."""

_STOPPED = {"stop", "lease"}
"""The faults after which an instance stops; if the server hangs meanwhile, the last acknowledgements may get lost."""

_EXCUSED_SECONDS = 60.0
"""How long after such a fault the work of the instance may be taken over, or run again."""


_FEWEST_DELIVERIES = 2
"""How often a call is delivered at most."""


class Run(NamedTuple):
    """One run of a handler.

    Attributes:
        host: Where it ran.
        begin: When it started.
        end: When it ended, was cancelled, or died with its host.
    """

    host: str
    begin: float
    end: float


def judge(events: Sequence[Event], dead: Sequence[str]) -> list[str]:
    """The broken promises in a history.

    Args:
        events: The history.
        dead: The dead letters.
    """
    return [*_lost(events, dead), *_repeated(events), *_keys(events), *_buried(events, dead)]


def _lost(events: Sequence[Event], dead: Sequence[str]) -> list[str]:
    """What was accepted has an effect, or is a dead letter."""
    effects = {event.name for event in events if event.what == "effect"}
    return [
        f"lost: {event.kind} {event.name}"
        for event in events
        if event.what == "ok"
        and event.kind in ("send", "publish")
        and event.name not in effects
        and not any(f'"{event.name}"' in letter for letter in dead)
    ]


def _repeated(events: Sequence[Event]) -> list[str]:
    """Nothing runs twice, nor on two hosts at once, unless its first host died or was cut off before."""
    problems: list[str] = []
    for name, runs in runs_of(events).items():
        for earlier, later in itertools.pairwise(runs):
            if not _was_cut_off(events, earlier.host, later.begin):
                how = "while it ran" if later.begin < earlier.end else "after it had run"
                problems.append(f"{name} ran on {later.host} {how} on {earlier.host}, which was never cut off")
    return problems


def runs_of(events: Sequence[Event]) -> dict[str, list[Run]]:
    """The runs of each job, in the order of their starts; those of a key belong together."""
    found: defaultdict[str, list[Run]] = defaultdict(list)
    for index, event in enumerate(events):
        if event.what == "start":
            ends = (
                later.time
                for later in events[index:]
                if (later.by == event.by and later.name == event.name and later.what in ("effect", "cancelled"))
                or (later.what == "fault" and later.kind == "kill" and later.name == event.by)
            )
            found[event.name].append(Run(event.by, event.time, next(ends, float("inf"))))
    return found


def _was_cut_off(events: Sequence[Event], host: str, before: float) -> bool:
    hung = any(event.what == "fault" and event.kind == "hang" for event in events)
    excuses = _CUT_OFF | _STOPPED if hung else _CUT_OFF
    return any(
        event.what == "fault"
        and event.kind in excuses
        and event.name == host
        and before - _EXCUSED_SECONDS < event.time < before
        for event in events
    )


def _buried(events: Sequence[Event], dead: Sequence[str]) -> list[str]:
    """No handler kills its process, so a dead letter needs as many faults as it had deliveries: at least two."""
    faults = sum(event.what == "fault" and event.kind in _CUT_OFF for event in events)
    return [] if faults >= _FEWEST_DELIVERIES else [f"dead letter: {letter}" for letter in dead]


def _keys(events: Sequence[Event]) -> list[str]:
    """All calls with one key get the same reply."""
    replies: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.what == "ok" and event.kind == "keyed":
            replies[event.name].add(event.value)
    return [f"key {key} has {len(found)} replies: {sorted(found)}" for key, found in replies.items() if len(found) > 1]
