"""The nemesis: what is broken, in an order that the seed alone decides."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from .arena import LEASE, Arena

__all__ = ["FAULTS", "LENGTHS", "Step", "inject", "plan"]

LENGTHS = (0.3, 0.9, 1.1, 3.0)
"""How long faults last, in leases."""


class Step(msgspec.Struct, frozen=True):
    """A fault that is to be injected.

    Attributes:
        kind: What; see `FAULTS`.
        slot: The slot of the replica that it hits.
        leases: How long it lasts.
        connection: Which one of the replica's connections; None: all.
    """

    kind: str
    slot: int
    leases: float
    connection: int | None


def plan(seed: int, kinds: Sequence[str], replicas: int) -> list[Step]:
    """A long enough order of faults: the same for the same arguments. Each kind comes once before one comes again."""
    rng = random.Random(seed)
    steps: list[Step] = []
    for _ in range(1_000):
        for kind in rng.sample(kinds, len(kinds)):
            connection = rng.choice((None, None, 0, 1, 2, 3))
            steps.append(Step(kind, rng.randrange(replicas), rng.choice(LENGTHS), connection))
    return steps


_numbers = itertools.count(1)


@asynccontextmanager
async def _fault(arena: Arena, kind: str, *targets: str) -> AsyncGenerator[None]:
    """A fault, which lasts as long as the block."""
    fault = f"fault-{next(_numbers)}"
    arena.recorder.add("fault", fault, kind=kind, targets=targets)
    try:
        yield
    finally:
        arena.recorder.add("healed", fault)


async def _stall(arena: Arena, step: Step) -> None:
    name = arena.replicas[step.slot].name
    async with _fault(arena, step.kind, name):
        await arena.proxies.set(name, "stall", connection=step.connection)
        await asyncio.sleep(step.leases * LEASE)
        await arena.proxies.set(name, "flow", connection=step.connection)


Nemesis = Callable[[Arena, Step], Awaitable[None]]

FAULTS: dict[str, Nemesis] = {"stall": _stall}
"""How to inject each kind of fault. Each of them heals what it breaks."""


async def inject(arena: Arena, step: Step) -> None:
    """Break something, and mend it."""
    await FAULTS[step.kind](arena, step)
