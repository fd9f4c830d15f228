"""Faults of the connections between one process and the servers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from .arena import LEASE, Arena
from .injecting import Nemesis, Step, broken, lasts, target
from .proxy import Mode

__all__ = ["LINK_FAULTS"]


async def _break(arena: Arena, step: Step, *, mode: Mode) -> None:
    name = target(arena, step).name
    async with broken(arena, step, name):
        await arena.proxies.set(name, mode, connection=step.connection)
        await lasts(step)
        await arena.proxies.set(name, "flow", connection=step.connection)


async def _cut(arena: Arena, step: Step) -> None:
    name = target(arena, step).name
    async with broken(arena, step, name):
        await arena.proxies.cut(name, step.connection)


async def _slow_down(arena: Arena, step: Step) -> None:
    """Each piece is late by up to a third of a lease."""
    name = target(arena, step).name
    async with broken(arena, step, name):
        await arena.proxies.set(name, "flow", delay=step.chance * LEASE / 3, connection=step.connection)
        await asyncio.sleep(2 * LEASE)
        await arena.proxies.set(name, "flow", connection=step.connection)


LINK_FAULTS: Mapping[str, Nemesis] = {
    "stall": partial(_break, mode="stall"),
    "silent": partial(_break, mode="silent"),
    "deaf": partial(_break, mode="deaf"),
    "mute": partial(_break, mode="mute"),
    "cut": _cut,
    "delay": _slow_down,
}
"""``stall``: nothing gets through, and comes later. Half-open, with what is said lost: ``silent`` both ways, ``deaf``
the answers, ``mute`` the commands. ``cut``: reset. ``delay``: late."""
