"""The history of a trial: what the client, the handlers and the faults did, in order."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .virtual import Host, World

__all__ = ["HUNG_AFTER", "Event", "History", "Stage"]

HUNG_AFTER = 10.0
"""Seconds without progress after which the watchdog takes an event loop for hung."""


class Event(msgspec.Struct, frozen=True):
    """One line of a history.

    Attributes:
        time: When, in seconds.
        what: ``invoke``, ``ok``, ``fail``, ``unknown`` of the client; ``start``, ``effect``, ``failed``, ``cancelled``
            of a handler; ``ready`` of an instance, and how many ``lapses`` it had; ``fault``; or ``healed``.
        kind: ``send``, ``call``, ``keyed``, ``items``, ``publish`` or ``tick``; of a fault: which.
        name: The name of the job; of a fault, the host.
        by: The host that noted it.
        value: The reply; of a call that failed, the code of its error; of a start, its fence; of lapses, how many; of a
            fault, whether a poisonous job was it.
        seconds: Of a fault: how long it lasts.
        lease: Of a fault, and of an instance that is ready: the lease of the host in seconds; 0: the fault hit all.
    """

    time: float
    what: str
    kind: str
    name: str
    by: str = ""
    value: str = ""
    seconds: float = 0.0
    lease: float = 0.0


class History:
    """Everything that happened, in order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.events: list[Event] = []

    def note_ready(self, name: str, lease: float) -> None:
        """Note that an instance has started."""
        self.events.append(Event(self._world.now, "ready", "", name, lease=lease))

    def note(self, what: str, kind: str, name: str, by: str = "", value: str = "") -> None:
        """Note what the client or a handler did."""
        self.events.append(Event(self._world.now, what, kind, name, by, value))

    def note_fault(self, kind: str, name: str, seconds: float, lease: float, value: str = "") -> None:
        """Note a fault."""
        self.events.append(Event(self._world.now, "fault", kind, name, "", value, seconds, lease))


class Stage(msgspec.Struct):
    """What the handlers of a trial act on.

    Attributes:
        world: Knows on which host a handler runs.
        history: Where they note what they do.
        kill: Kills a host.
    """

    world: World
    history: History
    kill: Callable[[Host], None]
