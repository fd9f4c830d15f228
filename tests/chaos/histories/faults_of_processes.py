"""Faults of one process: it is frozen, killed, restarted, or hangs in one of several ways."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from daebus import Bus
from daebus.errors import ServiceError, StartupError

from .arena import LEASE, Arena
from .injecting import Nemesis, Step, broken, lasts
from .members import START_SECONDS
from .service import THREAD, WORK, Work

__all__ = ["PROCESS_FAULTS"]

_THREADS = 33
"""One more than the pool of a replica has."""

_POISON_SECONDS = 60.0
_OTHER_LEASES = (0.5, 1.0, 2.5)


async def _freeze(arena: Arena, step: Step) -> None:
    replica = arena.replicas[step.slot]
    async with broken(arena, step, replica.name):
        replica.signal(signal.SIGSTOP)
        await lasts(step)
        replica.signal(signal.SIGCONT)


async def _kill(arena: Arena, step: Step) -> None:
    arena.kill(arena.replicas[step.slot])
    await (await arena.replace(step.slot)).started()


async def _restart(arena: Arena, step: Step) -> None:
    """SIGTERM; the next one is there first, or only afterwards."""
    old = arena.replicas[step.slot]
    if step.chance < 0.5:
        await (await arena.replace(step.slot)).started()
        await arena.stopped(old)
    else:
        await arena.stopped(old)
        await (await arena.replace(step.slot)).started()


async def _change_lease(arena: Arena, step: Step) -> None:
    """A rolling deployment with another lease, of one replica."""
    arena.lease = LEASE * _OTHER_LEASES[int(step.chance * len(_OTHER_LEASES))]
    try:
        await _restart(arena, step)
    finally:
        arena.lease = LEASE


async def _hang(arena: Arena, step: Step, *, how: str) -> None:
    """The process hangs by itself: a C function holds the GIL, or the loop does not go on."""
    replica = arena.replicas[step.slot]
    async with broken(arena, step, replica.name):
        with suppress(BrokenPipeError):
            replica.tell(f"{how} {step.leases * LEASE}")
        await lasts(step)


@asynccontextmanager
async def _open_bus(arena: Arena) -> AsyncGenerator[Bus]:
    """A bus beside the proxy, once the servers answer: a fault before may have left them busy."""
    async with AsyncExitStack() as stack:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                bus = await stack.enter_async_context(Bus(arena.servers.direct_url))
                break
            except StartupError:
                if time.monotonic() > end:
                    raise
        yield bus


async def _fill_pool(arena: Arena, step: Step) -> None:
    """All threads of all replicas are busy."""
    async with broken(arena, step), _open_bus(arena) as bus:
        for _ in range(_THREADS * len(arena.replicas)):
            id_ = arena.new_id("thread")
            arena.recorder.add("invoke", id_, subject=id_, kind="thread")
            try:
                await bus.send(THREAD, Work(id_, step.leases * LEASE))
            except ServiceError as error:
                arena.recorder.add("unknown", id_, code=error.code)
            else:
                arena.recorder.add("ok", id_)
        await asyncio.sleep(LEASE)


async def _poison(arena: Arena, step: Step) -> None:
    """A message that kills each process that handles it, until it is a dead letter."""
    async with broken(arena, step), _open_bus(arena) as bus:
        id_ = arena.new_id("poison")
        arena.recorder.add("invoke", id_, subject=id_, kind="poison")
        try:
            await bus.send(WORK, Work(id_, 0.1, -1))
        except ServiceError as error:
            arena.recorder.add("unknown", id_, code=error.code)
        else:
            arena.recorder.add("ok", id_)
            await _is_buried(arena, id_)


async def _is_buried(arena: Arena, subject: str) -> None:
    end = time.monotonic() + _POISON_SECONDS
    while time.monotonic() < end and not any(letter.subject == subject for letter in arena.history().letters.values()):
        await arena.tend()
        await arena.take_letters()
        await asyncio.sleep(LEASE / 4)


PROCESS_FAULTS: Mapping[str, Nemesis] = {
    "freeze": _freeze,
    "kill": _kill,
    "restart": _restart,
    "lease": _change_lease,
    "gil": partial(_hang, how="gil"),
    "loop": partial(_hang, how="loop"),
    "pool": _fill_pool,
    "poison": _poison,
}
"""``freeze``: SIGSTOP. ``kill``: -9. ``restart``: SIGTERM. ``lease``: a restart with another lease. ``gil``: a C
function holds the GIL. ``loop``: the event loop hangs. ``pool``: no thread is free. ``poison``: a message kills whoever
handles it."""
