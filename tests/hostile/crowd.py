"""Several attackers at once, each with a seed of its own, and honest clients in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from .inputs import Hostile
from .target import Tally, Target

__all__ = ["Answer", "run_crowd"]

_CROWD = 8
_ROUND = 2_000

Answer = Callable[[Hostile, int], Awaitable[None]]
"""Sends so many inputs."""


async def run_crowd(
    tally: Tally, target: Target, seed: int, inputs: int, send: Answer, probe: Callable[[], Awaitable[None]]
) -> None:
    """Send inputs in rounds, with a probe after each; measure memory and time."""
    crowd = [Hostile(seed * _CROWD + number) for number in range(_CROWD)]
    started = time.monotonic()
    while tally.inputs < inputs and target.is_alive:
        count = min(_ROUND, inputs - tally.inputs)
        shares = [count // _CROWD + (number < count % _CROWD) for number in range(_CROWD)]
        await asyncio.gather(*(send(hostile, share) for hostile, share in zip(crowd, shares, strict=True)))
        tally.inputs += count
        await probe()
        if tally.inputs <= max(inputs // 10, _ROUND):
            tally.before = target.memory()
    tally.crashes += not target.is_alive
    tally.after = await target.settled() if target.is_alive else 0
    tally.seconds = time.monotonic() - started
