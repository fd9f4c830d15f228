"""A round: load on an arena in which things break, and what the checker says of its history."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from .arena import LEASE, Arena, Load, open_arena
from .history import History
from .injecting import note_accidents
from .nemesis import inject, plan
from .rules import Finding, check, ends, excerpt, is_repeated
from .samples import Growth, Sample, growth, sample

_SAMPLES = 100

__all__ = ["Round", "Setup", "play"]


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a round is made of.

    Attributes:
        seed: Chooses the operations, and the faults and their order.
        faults: The kinds of faults.
        kinds: The kinds of operations.
        replicas: How many there are.
        topology: On which servers: ``single``, ``cluster`` or ``sentinel``.
        seconds: For how long there is load.
        rate: How many operations begin in a second.
        longest: How many seconds the longest handlers take: longer than the longest fault, by default.
        pause: How many seconds pass between the end of a fault and the next one, at least. By default more than a
            lease: before that, no replica takes anything over, and so none takes what it must not.
        every: How many seconds pass between the beginnings of two faults, at least.
    """

    seed: int
    faults: Sequence[str]
    kinds: tuple[str, ...] = ("send",)
    replicas: int = 3
    topology: str = "single"
    seconds: float = 15.0
    rate: float = 50.0
    longest: float = 7.0
    pause: float = 1.5 * LEASE
    every: float = 0.0


class Round(msgspec.Struct):
    """What came of a round.

    Attributes:
        setup: What it was made of.
        injected: How often each kind of fault was injected.
        operations: How many operations there were, by their outcome.
        repeated: How many messages were handled more than once without having failed.
        stall: The longest time in seconds in which no handler ended.
        findings: What the checker found.
        keyed: How many idempotency keys ended, by how often they did.
        growth: What grew.
        excerpts: The part of the history for some of the findings.
        kept: Where the files are, if it found something.
    """

    setup: Setup
    injected: dict[str, int]
    operations: dict[str, int]
    repeated: int
    stall: float
    findings: list[Finding]
    keyed: dict[int, int]
    growth: Growth
    excerpts: list[list[str]]
    kept: str = ""


async def play(folder: Path, setup: Setup, keep: Path | None = None) -> Round:
    """Play a round; where the checker finds something, the files are copied to the folder `keep`."""
    samples: list[Sample] = []
    async with open_arena(folder, setup.replicas, setup.topology) as arena:
        client = await arena.load(Load(setup.kinds, setup.rate, setup.seconds, setup.seed, setup.longest))
        loading = asyncio.create_task(asyncio.to_thread(client.process.wait))
        sampling = asyncio.create_task(_sample(arena, samples, setup.seconds / _SAMPLES))
        noting = asyncio.create_task(note_accidents(arena))
        injected = await _break(arena, setup, loading)
        assert await loading == 0, "the client failed"
        sampling.cancel()
        await asyncio.wait({sampling})
        await arena.settled()
        noting.cancel()
        await asyncio.wait({noting})
        await arena.finish()
        history = arena.history()
    return _judge(history, setup, injected, growth(samples), folder, keep)


async def _break(arena: Arena, setup: Setup, loading: asyncio.Task[int]) -> Counter[str]:
    """Inject faults while there is load; how often each of them was."""
    injected: Counter[str] = Counter()
    due = time.monotonic()
    for step in plan(setup.seed, setup.faults, setup.replicas):
        await asyncio.wait({loading}, timeout=max(setup.pause, due - time.monotonic()))
        await arena.tend()
        if loading.done():
            break
        due = time.monotonic() + setup.every
        await inject(arena, step)
        injected[step.kind] += 1
    return injected


async def _sample(arena: Arena, samples: list[Sample], pause: float) -> None:
    while True:
        samples += await asyncio.to_thread(sample, arena)
        await arena.take_letters()
        await asyncio.sleep(pause)


def _judge(
    history: History, setup: Setup, injected: Counter[str], grown: Growth, folder: Path, keep: Path | None
) -> Round:
    findings = check(history)
    kept = ""
    if findings and keep is not None:
        shutil.copytree(folder, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        kept = str(keep)
    return Round(
        setup=setup,
        injected=dict(injected),
        operations=dict(Counter(operation.outcome for operation in history.operations.values())),
        repeated=sum(is_repeated(history, runs) for runs in history.runs.values()),
        stall=_longest_stall(history),
        findings=findings,
        keyed=dict(Counter(ends(history, subject) for subject in history.about if history.kind_of(subject) == "keyed")),
        growth=grown,
        excerpts=[excerpt(history, finding.subject) for finding in findings[:20]],
        kept=kept,
    )


def _longest_stall(history: History) -> float:
    ends = sorted(run.ended for runs in history.runs.values() for run in runs if run.code)
    return round(max((after - before for before, after in pairwise(ends)), default=0.0), 2)
