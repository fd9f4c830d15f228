"""A reference of what the scripts of the queues do, in plain Python: see `test_scripts_by_reference`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

__all__ = ["Reference", "lease_of"]

_GONE_MS = 60_000

Taken: TypeAlias = tuple[str, int, int]


def lease_of(name: str) -> int:
    """The lease of an instance in ms: its id ends with it."""
    return int(name.rpartition("-")[2])


class Reference:
    """One stream, its group, the registry of its readers, and one idempotency key.

    Attributes:
        now: The server's clock in ms.
        members: When each instance counts as dead.
        answered: When a script last ran; None: the registry has no note of it.
        least: The least lease; None: not noted.
        entries: The stream; whether each entry was read.
        owners: The instance that has an entry, and how often it was delivered.
        consumers: The consumers of the group.
        counter: The last number for a fence.
        run: The run for the key.
        parked: Who waits for it.
        delayed: How many retries wait.
        dead: How many dead letters there are.
    """

    def __init__(self) -> None:
        self.now = 1_700_000_000_000
        self.members: dict[str, int] = {}
        self.answered: int | None = None
        self.least: int | None = None
        self.entries: dict[str, bool] = {}
        self.owners: dict[str, tuple[str, int]] = {}
        self.consumers: set[str] = set()
        self.counter = 0
        self.run: dict[str, str] = {}
        self.parked: list[str] = []
        self.delayed = 0
        self.dead = 0

    @property
    def registry(self) -> dict[str, int]:
        """The sorted set."""
        notes = {":answered": self.answered, ":least": self.least}
        return self.members | {name: -note for name, note in notes.items() if note is not None}

    def lose_registry(self) -> None:
        self.members, self.answered, self.least = {}, None, None

    def add(self, entry: str) -> None:
        self.entries[entry] = False

    def read(self, name: str, count: int) -> list[str]:
        self.consumers.add(name)
        new = [entry for entry, was_read in self.entries.items() if not was_read][:count]
        for entry in new:
            self.entries[entry] = True
            self.owners[entry] = (name, 1)
        return new

    # Leases

    def _step(self, lease: int) -> bool:
        """What each script does first: after a gap, all members count as if they had sent a heartbeat now."""
        before = self.answered
        passed = math.inf if before is None else abs(self.now - before)
        if passed > (lease if self.least is None else self.least) / 2:
            for name in self.members:
                if passed > lease_of(name) / 2:
                    self.members[name] = self.now + lease_of(name)
            if before is not None:
                self._note_least(lease)
        if before is not None:
            self.answered = self.now
        return before is not None

    def _note_least(self, lease: int) -> None:
        self.least = min([lease, *(lease_of(name) for name in self.members if self._lives(name))])

    def _lives(self, name: str) -> bool:
        return self.members.get(name, -1) >= self.now

    def _is_dead(self, name: str) -> bool:
        return name in self.members and not self._lives(name)

    def beat(self, name: str) -> list[int | list[str]]:
        lease = lease_of(name)
        was_there = self._step(lease)
        was_dead = self._is_dead(name)
        is_new = name not in self.members
        self.members[name] = self.now + lease
        if not was_there:
            self.answered = self.now
        if self.least != lease:
            self._note_least(lease)
        self.members = {one: ends for one, ends in self.members.items() if ends > self.now - _GONE_MS}
        dead = sorted((ends, one) for one, ends in self.members.items() if ends < self.now)
        first = min(ends for ends in self.members.values() if ends >= self.now)
        pause = min((self.least or 0) // 3, first - self.now + 1)
        living = len(self.members) - len(dead)
        return [int(not was_there), int(is_new), int(was_dead), pause, living, [one for _, one in dead]]

    def find(self, name: str, dead: Sequence[str]) -> list[int]:
        self._step(lease_of(name))
        if not self._lives(name):
            return [-1]
        has_some = False
        for one in dead:
            if self._is_dead(one):
                if self._of(one):
                    has_some = True
                    self.members[one] = self.now - 1
                else:
                    self.consumers.discard(one)
        return [0] if has_some else []

    def scan(self, name: str) -> list[int]:
        self._step(lease_of(name))
        if not self._lives(name):
            return [-1]
        has_some = False
        for one in sorted(self.consumers):
            self.members.setdefault(one, self.now + lease_of(one))
            if not self._lives(one):
                has_some = has_some or bool(self._of(one))
                if not self._of(one):
                    self.consumers.discard(one)
        return [0] if has_some else []

    def take_over(self, name: str, room: int, dead: Sequence[str], *, suspects: bool) -> tuple[list[Taken], int]:
        self._step(lease_of(name))
        if not self._lives(name):
            return [], -1
        robbed = [one for one in sorted(dead) if self._is_dead(one) and self._of(one)]
        waiting = [entry for one in robbed for entry in self._of(one)]
        left_in_order = [entry for entry in waiting if self.owners[entry][1] == 0]
        chosen = left_in_order[:room]
        suspected = sorted(
            (entry for entry in waiting if self.owners[entry][1] > 0), key=lambda one: self.owners[one][1]
        )
        if suspects and len(chosen) < room:
            chosen += suspected[:1]
        taken: list[Taken] = []
        if chosen:
            self.counter = max(self.now, self.counter + 1)
            self.consumers.add(name)
        for entry in chosen:
            self.owners[entry] = (name, self.owners[entry][1] + 1)
            taken.append((entry, self.owners[entry][1], self.counter))
        for one in robbed:
            if self._of(one):
                self.members[one] = self.now - 1
            else:
                self.consumers.discard(one)
        return taken, len(waiting) - len(taken)

    def confirm(self, name: str, held: Mapping[str, int]) -> list[int]:
        self._step(lease_of(name))
        was_dead = self._is_dead(name)
        answers = [int(self._is_mine(name, entry, deliveries)) for entry, deliveries in held.items()]
        if any(answers):
            self.members[name] = self.now + lease_of(name)
        return [int(was_dead), *answers]

    def leave(self, name: str) -> int:
        left = self._of(name)
        for entry in left:
            self.owners[entry] = (name, max(0, self.owners[entry][1] - 1))
        if not left:
            self.consumers.discard(name)
        return len(left)

    def depart(self, name: str, leaves_some: bool) -> None:
        if not leaves_some:
            self.members.pop(name, None)
        elif name in self.members:
            self.members[name] = self.now - 1

    def _of(self, name: str) -> list[str]:
        return [entry for entry in self.entries if entry in self.owners and self.owners[entry][0] == name]

    def _is_mine(self, name: str, entry: str, deliveries: int) -> bool:
        return self.owners.get(entry) == (name, deliveries)

    # Ends

    def ends(self, name: str, entry: str, deliveries: int) -> bool:
        """An instance ends an entry, if it is still with this delivery."""
        if not self._is_mine(name, entry, deliveries):
            return False
        self._settle(entry)
        return True

    def _settle(self, entry: str) -> None:
        del self.owners[entry]
        del self.entries[entry]

    # The key

    def claim(self, name: str, entry: str, deliveries: int, payload: str) -> list[str | int]:
        if not self._is_mine(name, entry, deliveries):
            return ["lost" if entry in self.entries else "parked"]
        if self.run.get("payload", payload) != payload:
            return ["conflict"]
        if "status" in self.run:
            return ["done", self.run["status"], self.run["reply"]]
        running = self.run.get("entry", entry)
        if running == entry or running not in self.entries:
            self.run |= {"payload": payload, "entry": entry}
            self.counter = max(self.now, self.counter + 1)
            return ["mine", self.counter]
        self.parked.append("parked")
        self._settle(entry)
        return ["parked"]

    def store(self, name: str, entry: str, deliveries: int, reply: str) -> list[str | list[str]]:
        by = f"{entry} {name} {deliveries}"
        if self.run.get("by") != by:
            if not self._is_mine(name, entry, deliveries) or self.run.get("entry", entry) != entry:
                return ["lost"]
            if "status" not in self.run:
                self.run |= {"payload": "p", "status": "success", "reply": reply}
                self.run.pop("entry", None)
            self.run["by"] = by
            self._settle(entry)
        return ["kept", self.run["status"], self.run["reply"], list(self.parked)]

    def release(self, name: str, entry: str, deliveries: int) -> int:
        if not self._is_mine(name, entry, deliveries) or self.run.get("entry") != entry:
            return 0
        if self.parked:
            self.parked.pop(0)  # a new entry runs for it
        else:
            self.run = {}
        return 1
