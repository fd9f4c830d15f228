"""The nemesis: what is broken, in an order that the seed alone decides."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .arena import Arena
from .faults_of_links import LINK_FAULTS
from .faults_of_processes import PROCESS_FAULTS
from .faults_of_servers import SERVER_FAULTS
from .injecting import Nemesis, Step

__all__ = ["FAULTS", "LENGTHS", "inject", "plan"]

LENGTHS = (0.3, 0.9, 1.1, 3.0)
"""How long faults last, in leases."""

FAULTS: dict[str, Nemesis] = {**LINK_FAULTS, **PROCESS_FAULTS, **SERVER_FAULTS}
"""How to inject each kind of fault. Each of them heals what it breaks."""

_ROUNDS = 300
_CLIENTS = 0.2
"""The share of the faults of links that hit the client."""


def plan(seed: int, kinds: Sequence[str], replicas: int) -> list[Step]:
    """A long enough order of faults: the same for the same arguments. Each kind comes once before one comes again."""
    rng = random.Random(seed)
    steps: list[Step] = []
    for _ in range(_ROUNDS):
        for kind in rng.sample(list(kinds), len(kinds)):
            slot, leases = rng.randrange(replicas), rng.choice(LENGTHS)
            if rng.random() < _CLIENTS and kind in LINK_FAULTS:
                slot = replicas
            connection = rng.choice((None, None, 0, 1, 2, 3))
            steps.append(Step(kind, slot, leases, connection, rng.random()))
    return steps


async def inject(arena: Arena, step: Step) -> None:
    """Break something, and mend it."""
    await FAULTS[step.kind](arena, step)
