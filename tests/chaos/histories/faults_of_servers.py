"""Faults that hit all processes alike: of the server, of its clock, of its keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from tests.engines import Engine

from daebus.protocol.messages import (
    channel_instances,
    channel_listening,
    instance_registry,
    partition_of,
    serving_instances,
    serving_registry,
)

from .arena import LEASE, Arena
from .injecting import Nemesis, Step, broken, lasts
from .servers import FAKETIME
from .service import EVENTS, SERVICE

__all__ = ["SERVER_FAULTS"]

_STEPS = (-3600.0, -5.0, -1.0, 1.0, 5.0, 3600.0)
_REGISTRIES = (
    instance_registry(SERVICE),
    channel_instances(EVENTS.name),
    channel_listening(EVENTS.name),
    serving_registry(SERVICE),
    serving_instances(SERVICE),
    *(instance_registry(partition_of(SERVICE, number)) for number in range(1, 3)),
)


def _chosen(arena: Arena, step: Step) -> Sequence[Engine]:
    """One of the servers, or all of them; the primary, where another one takes over from it."""
    engines = arena.servers.engines
    if arena.servers.fails_over:
        return [engine for engine in engines if engine.is_primary()]
    return engines if step.connection is None else [engines[step.connection % len(engines)]]


async def _freeze(arena: Arena, step: Step) -> None:
    await arena.servers.in_step()
    async with broken(arena, step):
        engines = _chosen(arena, step)
        for engine in engines:
            engine.freeze()
        await lasts(step)
        for engine in engines:
            engine.thaw()


async def _kill(arena: Arena, step: Step) -> None:
    await arena.servers.in_step()
    async with broken(arena, step):
        engines = _chosen(arena, step)
        for engine in engines:
            engine.kill()
        await lasts(step)
        for engine in engines:
            await asyncio.to_thread(engine.start)


async def _stall_all(arena: Arena, step: Step) -> None:
    await arena.servers.in_step()
    async with broken(arena, step):
        await arena.proxies.set("", "stall")
        await lasts(step)
        await arena.proxies.set("", "flow")


async def _step_clock(arena: Arena, step: Step) -> None:
    """The clock is set, and put right again: a retry that waits meanwhile is late, or early, by as much."""
    async with broken(arena, step):
        arena.servers.clock.step(_STEPS[int(step.chance * len(_STEPS))])
        await asyncio.sleep(2 * LEASE)
        arena.servers.clock.step(0)


async def _delete(arena: Arena, step: Step) -> None:
    """A registry is deleted, or all of them at once, as an operator does, or a server that evicts keys."""
    keys = _REGISTRIES if step.connection is None else (_REGISTRIES[int(step.chance * len(_REGISTRIES))],)
    async with broken(arena, step):
        for engine in arena.servers.engines:
            for key in keys:  # not in one command, as a cluster has them in several slots
                engine.ask(f"DEL {key}")
        await asyncio.sleep(LEASE)


SERVER_FAULTS: Mapping[str, Nemesis] = {
    "server-freeze": _freeze,
    "server-kill": _kill,
    "blackout": _stall_all,
    "deleted": _delete,
    **({"clock": _step_clock} if FAKETIME.exists() else {}),
}
"""``server-freeze``: SIGSTOP. ``server-kill``: -9, and a start with its data. ``blackout``: all connections stall.
``deleted``: a registry is gone, or all are. ``clock``: it is set by up to an hour, either way, and put right; only on a
machine that has libfaketime."""
