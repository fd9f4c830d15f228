"""A fault that is to be injected, and its record in the history."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import msgspec

from .arena import LEASE, Arena
from .history import FAILOVER
from .members import Member

__all__ = ["Nemesis", "Step", "broken", "lasts", "note_accidents", "target"]


class Step(msgspec.Struct, frozen=True):
    """A fault that is to be injected.

    Attributes:
        kind: What.
        slot: The slot of the replica that it hits; the number after the last slot is the client.
        leases: How long it lasts.
        connection: Which one of the process's connections; None: all.
        chance: From 0 to 1, for what else there is to choose.
    """

    kind: str
    slot: int
    leases: float
    connection: int | None
    chance: float


Nemesis: TypeAlias = Callable[[Arena, Step], Awaitable[None]]

_FAILOVERS = ("server-freeze", "server-kill", "blackout")

_numbers = itertools.count(1)

_LOOK_SECONDS = 0.25


def target(arena: Arena, step: Step) -> Member:
    """The process that a fault hits."""
    if step.slot < len(arena.replicas):
        return arena.replicas[step.slot]
    assert arena.client is not None
    return arena.client


async def lasts(step: Step) -> None:
    """Wait for as long as the fault lasts."""
    await asyncio.sleep(step.leases * LEASE)


@asynccontextmanager
async def broken(arena: Arena, step: Step, *targets: str) -> AsyncGenerator[None]:
    """Record a fault that lasts as long as the block.

    Args:
        arena: The run.
        step: The fault.
        targets: The processes that it hits; none: all.
    """
    fault = f"fault-{next(_numbers)}"
    kind = FAILOVER if arena.servers.fails_over and step.kind in _FAILOVERS else step.kind
    arena.recorder.add("fault", fault, kind=kind, targets=targets, seconds=step.leases * LEASE)
    try:
        yield
    finally:
        arena.recorder.add("healed", fault)


async def note_accidents(arena: Arena) -> None:
    """Record failovers that nobody has injected, and when the machine is too busy, until this is cancelled."""
    before = await asyncio.to_thread(arena.servers.failovers)
    while True:
        began = time.monotonic()
        await asyncio.sleep(_LOOK_SECONDS)
        now = await asyncio.to_thread(arena.servers.failovers)
        if now > before:
            _note(arena, FAILOVER, time.monotonic())
        if time.monotonic() - began > _LOOK_SECONDS + LEASE / 4:
            _note(arena, "busy machine", began)
        before = max(before, now)


def _note(arena: Arena, kind: str, since: float) -> None:
    fault = f"fault-{next(_numbers)}"
    arena.recorder.add("fault", fault, kind=kind, at=since)
    arena.recorder.add("healed", fault)
