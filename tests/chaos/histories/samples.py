"""Samples of what the processes and the servers use, and whether it grows."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from .arena import Arena

__all__ = ["Growth", "Sample", "growth", "sample"]

_MEMORY = re.compile(rb"used_memory:(\d+)")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_WARM_SECONDS = 20.0
"""A process has loaded everything by then."""

_SHARE = 5
_LEAST_SAMPLES = 2 * _SHARE


class Sample(msgspec.Struct, frozen=True):
    """What a process used at a moment.

    Attributes:
        process: Its name; ``server-0`` and so on for the servers.
        at: When, in seconds of `time.monotonic`.
        memory: In bytes: resident; of a server, what its data takes.
        descriptors: How many it had open, by kind; of a server none.
    """

    process: str
    at: float
    memory: int
    descriptors: Mapping[str, int]


class Growth(msgspec.Struct, frozen=True):
    """How much more was used at the end than at the beginning, by the process in which that is most.

    Attributes:
        memory: The factor of the resident memory of a replica or client.
        descriptors: How many more descriptors.
        kinds: Of which kinds these are.
        server: The factor of a server's memory.
        server_bytes: The same in bytes.
    """

    memory: float
    descriptors: int
    kinds: Mapping[str, int]
    server: float
    server_bytes: int


def sample(arena: Arena) -> list[Sample]:
    """What everything uses now. What does not answer is left out."""
    now, found = time.monotonic(), list[Sample]()
    members = [*arena.replicas, *([] if arena.client is None else [arena.client])]
    for member in members:
        with suppress(OSError, ValueError, IndexError):
            pid = member.process.pid
            with open(f"/proc/{pid}/statm") as file:
                memory = int(file.read().split()[1]) * _PAGE
            found.append(Sample(member.name, now, memory, _descriptors(pid)))
    for number, engine in enumerate(arena.servers.engines):
        with suppress(OSError):
            if used := _MEMORY.search(engine.ask("INFO memory")):
                found.append(Sample(f"server-{number}", now, int(used[1]), {}))
    return found


def _descriptors(pid: int) -> Counter[str]:
    """How many descriptors a process has, by kind: ``socket``, ``pipe``, ``anon_inode``, or ``file``."""
    found = Counter[str]()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with suppress(OSError):  # it was closed
            kind, colon, _ = os.readlink(entry.path).partition(":")
            found[kind if colon else "file"] += 1
    return found


def growth(samples: Sequence[Sample]) -> Growth:
    """Compare the first fifth of each process's samples, once it is warm, with the last one."""
    by_process: defaultdict[str, list[Sample]] = defaultdict(list)
    for one in samples:
        by_process[one.process].append(one)
    memory, kinds, server, server_bytes = 1.0, dict[str, int](), 1.0, 0
    for name, those in by_process.items():
        warm = [one for one in those if one.at - those[0].at >= _WARM_SECONDS]
        if len(warm) < _LEAST_SAMPLES:
            continue
        first, last = warm[: len(warm) // _SHARE], warm[-(len(warm) // _SHARE) :]
        before, after = (statistics.median(one.memory for one in part) for part in (first, last))
        if name.startswith("server"):
            server, server_bytes = max(server, after / before), max(server_bytes, int(after - before))
        else:
            memory = max(memory, after / before)
            kinds = max(kinds, _more(first, last), key=lambda kinds: sum(kinds.values()))
    return Growth(round(memory, 3), sum(kinds.values()), kinds, round(server, 3), server_bytes)


def _more(first: Sequence[Sample], last: Sequence[Sample]) -> dict[str, int]:
    """How many more descriptors there are, by kind."""
    before, after = (
        {kind: int(statistics.median(one.descriptors.get(kind, 0) for one in part)) for kind in _kinds(first, last)}
        for part in (first, last)
    )
    return {kind: count - before[kind] for kind, count in after.items() if count != before[kind]}


def _kinds(*parts: Sequence[Sample]) -> list[str]:
    return sorted({kind for part in parts for one in part for kind in one.descriptors})
