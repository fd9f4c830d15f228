"""Samples of what the processes and the servers use, and whether it grows."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
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
        descriptors: How many it had open; of a server 0.
    """

    process: str
    at: float
    memory: int
    descriptors: int


class Growth(msgspec.Struct, frozen=True):
    """How much more was used at the end than at the beginning, by the process in which that is most.

    Attributes:
        memory: The factor of the resident memory of a replica or client.
        descriptors: How many more descriptors.
        server: The factor of a server's memory.
        server_bytes: The same in bytes.
    """

    memory: float
    descriptors: int
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
            found.append(Sample(member.name, now, memory, len(os.listdir(f"/proc/{pid}/fd"))))
    for number, engine in enumerate(arena.servers.engines):
        with suppress(OSError):
            if used := _MEMORY.search(engine.ask("INFO memory")):
                found.append(Sample(f"server-{number}", now, int(used[1]), 0))
    return found


def growth(samples: Sequence[Sample]) -> Growth:
    """Compare the first fifth of each process's samples, once it is warm, with the last one."""
    by_process: defaultdict[str, list[Sample]] = defaultdict(list)
    for one in samples:
        by_process[one.process].append(one)
    memory, descriptors, server, server_bytes = 1.0, 0, 1.0, 0
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
            more = statistics.median(one.descriptors for one in last) - statistics.median(
                one.descriptors for one in first
            )
            descriptors = max(descriptors, int(more))
    return Growth(round(memory, 3), descriptors, round(server, 3), server_bytes)
