"""The scripts of the queues against a reference in Python: any order of commands of owners, stale owners and the dead.

Each instance knows only what it was told. So it settles, retries and confirms what another one has long taken over, and
a crash between two commands is an instance that does nothing more. The clock passes, and is set. After each command the
answer, the registry and the owners must be those of the reference, and no entry may be lost.

``DAEBUS_EXAMPLES=2000 pytest tests/queues/test_lease_scripts_by_reference.py`` tries more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from redis import Redis
from tests.queues.reference import Reference, lease_of

from daebus.connection.scripts import NOW, Script
from daebus.queues import due_retries, idempotency, retries
from daebus.queues.lease_scripts import BEAT, CONFIRM, DEPART, FIND, LEAVE, SCAN, TAKE_OVER
from daebus.testing import private_redis_url

_EXAMPLES, _STEPS = int(os.environ.get("DAEBUS_EXAMPLES", "12")), 30
_INSTANCES = ("a-2000", "b-6000", "c-6000", "d-15000")
_STREAM, _REGISTRY, _COUNTER = "{r}:work", "{r}:instances", "{r}:fence"
_DELAYED, _DEAD, _RUN, _PARKED, _CLOCK = "{r}:retries", "{r}:dead", "{r}:run", "{r}:parked", "{r}:clock"
_GROUP = "daebus"

_instances = st.sampled_from(_INSTANCES)
_picks = st.integers(0, 9)


def _text(script: Script) -> str:
    """The script with a clock that the test sets."""
    return script.text.replace(NOW, f"\nlocal now = tonumber(redis.call('GET', '{_CLOCK}'))\n")


class Scripts(RuleBasedStateMachine):
    """The server and the reference, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.redis = cast("Any", Redis).from_url(private_redis_url(), decode_responses=True)
        self.redis.flushdb()
        self.redis.xgroup_create(_STREAM, _GROUP, "0", mkstream=True)
        self.model = Reference()
        self.held: dict[str, dict[str, int]] = {name: {} for name in _INSTANCES}
        self._set_clock(self.model.now)

    def teardown(self) -> None:
        self.redis.close()

    def run(self, script: Script, keys: Sequence[str], *args: object) -> Any:
        return self.redis.eval(_text(script), len(keys), *keys, *args)

    def _private(self, name: str, keys: Sequence[str], *args: object) -> Any:
        return self.run({**vars(idempotency), **vars(retries), **vars(due_retries)}[name], keys, *args)

    def _set_clock(self, now: int) -> None:
        self.model.now = now
        self.redis.set(_CLOCK, now)

    def _held(self, name: str, pick: int) -> tuple[str, int] | None:
        """An entry that an instance takes for its own, and the number of deliveries that it knows."""
        held = list(self.held[name].items())
        return held[pick % len(held)] if held else None

    # Time

    @rule(ms=st.sampled_from([1, 300, 700, 1100, 2500, 6100, 15_100, 61_000]))
    def time_passes(self, ms: int) -> None:
        self._set_clock(self.model.now + ms)

    @rule(ms=st.sampled_from([-3_600_000, -4000, -800, 800, 4000, 3_600_000]))
    def the_clock_is_set(self, ms: int) -> None:
        self._set_clock(self.model.now + ms)

    @rule()
    def the_registry_is_lost(self) -> None:
        self.redis.delete(_REGISTRY)
        self.model.lose_registry()

    # Reading

    @rule()
    def something_is_sent(self) -> None:
        self.model.add(self.redis.xadd(_STREAM, {"request": "x"}))

    @rule(name=_instances)
    def one_reads(self, name: str) -> None:
        found = self.redis.xreadgroup(_GROUP, name, {_STREAM: ">"}, count=2)
        entries = [entry_id for entry_id, _ in found[0][1]] if found else []
        assert entries == self.model.read(name, 2)
        self.held[name] |= dict.fromkeys(entries, 1)

    # Leases

    @rule(name=_instances)
    def one_beats(self, name: str) -> None:
        assert self.run(BEAT, [_REGISTRY], name, lease_of(name)) == self.model.beat(name)

    @rule(name=_instances, dead=st.sets(_instances))
    def one_finds(self, name: str, dead: set[str]) -> None:
        found = self.run(FIND, [_REGISTRY, _STREAM], _GROUP, name, lease_of(name), *sorted(dead))
        assert found == self.model.find(name, sorted(dead))

    @rule(name=_instances)
    def one_scans(self, name: str) -> None:
        assert self.run(SCAN, [_REGISTRY, _STREAM], _GROUP, name, lease_of(name)) == self.model.scan(name)

    @rule(name=_instances, dead=st.sets(_instances), room=st.integers(1, 3), suspects=st.booleans())
    def one_takes_over(self, name: str, dead: set[str], room: int, suspects: bool) -> None:
        asked = (_GROUP, name, lease_of(name), room, int(suspects), *sorted(dead))
        rows, left = self.run(TAKE_OVER, [_STREAM, _REGISTRY, _COUNTER], *asked)
        taken = [(entry_id, deliveries, drawn) for entry_id, _, deliveries, drawn in rows]
        assert (taken, left) == self.model.take_over(name, room, sorted(dead), suspects=suspects)
        self.held[name] |= {entry_id: deliveries for entry_id, deliveries, _ in taken}

    @rule(name=_instances)
    def one_confirms(self, name: str) -> None:
        held = self.held[name]
        pairs = [part for pair in held.items() for part in pair]
        answers = self.run(CONFIRM, [_STREAM, _REGISTRY], _GROUP, name, lease_of(name), *pairs)
        assert answers == self.model.confirm(name, held)
        self.held[name] = {entry: held[entry] for entry, mine in zip(held, answers[1:], strict=True) if mine}

    @rule(name=_instances)
    def one_stops(self, name: str) -> None:
        left = self.run(LEAVE, [_STREAM], _GROUP, name)
        assert left == self.model.leave(name)
        self.run(DEPART, [_REGISTRY], name, int(left > 0))
        self.model.depart(name, left > 0)
        self.held[name] = {}

    @rule(name=_instances)
    def one_crashes(self, name: str) -> None:
        self.held[name] = {}

    # Ends

    @rule(name=_instances, pick=_picks, pause=st.sampled_from([0, 5000]))
    def one_retries(self, name: str, pick: int, pause: int) -> None:
        if held := self._held(name, pick):
            args = (_GROUP, held[0], 1, name, held[1], pause, _STREAM, held[0], "request", "x")
            is_mine = self.model.ends(name, *held)
            assert self._private("_DELAY", [_DELAYED, f"{_DELAYED}:clock", _STREAM], *args) == int(is_mine)
            self.model.delayed += is_mine

    @rule(name=_instances, pick=_picks)
    def one_buries(self, name: str, pick: int) -> None:
        if held := self._held(name, pick):
            args = (_GROUP, held[0], 1, name, held[1], 1000, 1_000_000, "request", "x")
            is_mine = self.model.ends(name, *held)
            assert self._private("_BURY", [_DEAD, _STREAM], *args) == int(is_mine)
            self.model.dead += is_mine

    @precondition(lambda self: self.model.delayed)
    @rule()
    def what_is_due_is_moved(self) -> None:
        moved, *_ = self._private("_MOVE", [_DELAYED, f"{_DELAYED}:clock"], 100, "", "")
        self.model.delayed -= moved
        self._learn_new(moved)

    # Idempotency keys

    @rule(name=_instances, pick=_picks, payload=st.sampled_from(["p", "p", "q"]))
    def one_claims_the_key(self, name: str, pick: int, payload: str) -> None:
        if held := self._held(name, pick):
            args = (_GROUP, held[0], name, held[1], payload, "parked", 86_400_000)
            answer = self._private("_CLAIM", [_RUN, _PARKED, _STREAM, _COUNTER], *args)
            assert answer == self.model.claim(name, *held, payload)

    @rule(name=_instances, pick=_picks)
    def one_stores_the_outcome(self, name: str, pick: int) -> None:
        if held := self._held(name, pick):
            args = (_GROUP, held[0], name, held[1], "p", "success", f"by {name}", 86_400_000, 60_000)
            answer = self._private("_STORE", [_RUN, _PARKED, _STREAM], *args)
            assert answer == self.model.store(name, *held, f"by {name}")

    @rule(name=_instances, pick=_picks)
    def one_releases_the_key(self, name: str, pick: int) -> None:
        if held := self._held(name, pick):
            had = len(self.model.parked)
            answer = self._private("_RELEASE", [_RUN, _PARKED, _STREAM], _GROUP, held[0], name, held[1])
            assert answer == self.model.release(name, *held)
            for entry in self._learn_new(had - len(self.model.parked)):
                self.model.run["entry"] = entry

    def _learn_new(self, count: int) -> list[str]:
        """The entries that a script has added."""
        new = [entry_id for entry_id, _ in self.redis.xrange(_STREAM) if entry_id not in self.model.entries]
        assert len(new) == count
        for entry_id in new:
            self.model.add(entry_id)
        return new

    # What holds after each command

    @invariant()
    def the_registry_is_the_same(self) -> None:
        found = {name: int(score) for name, score in self.redis.zrange(_REGISTRY, 0, -1, withscores=True)}
        assert found == self.model.registry

    @invariant()
    def the_owners_are_the_same_and_nothing_is_lost(self) -> None:
        pending = self.redis.xpending_range(_STREAM, _GROUP, "-", "+", 1000)
        owners = {row["message_id"]: (row["consumer"], row["times_delivered"]) for row in pending}
        assert owners == self.model.owners
        assert [entry_id for entry_id, _ in self.redis.xrange(_STREAM)] == list(self.model.entries)
        assert self.redis.xlen(_DEAD) == self.model.dead
        assert self.redis.zcard(_DELAYED) == self.model.delayed
        assert self.redis.lrange(_PARKED, 0, -1) == self.model.parked
        assert self.redis.hgetall(_RUN) == self.model.run


Scripts.TestCase.settings = settings(
    max_examples=_EXAMPLES,
    stateful_step_count=_STEPS,
    deadline=None,
    derandomize=_EXAMPLES == 12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestScripts = Scripts.TestCase
