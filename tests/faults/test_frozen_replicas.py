"""A replica that is frozen with messages in its hands holds up no other: these go on, and take over what it had."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes import Service, launched
from tests.support import raw_redis, until

from daebus import Action, Bus
from daebus.testing import private_redis_url

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

LAPSED = "cut off for longer than its lease: others may have taken over its messages in flight"
WORKER = """
import asyncio, os
from daebus import Daebus, Settings

app = Daebus("frozen", settings=Settings(lease=1.0, stop_timeout=1.0))
ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def do(kind: str, number: int) -> None:
    os.write(ledger, f"begin {kind} {number} {os.getpid()}\\n".encode())
    await asyncio.sleep(0.1)
    os.write(ledger, f"end {kind} {number} {os.getpid()}\\n".encode())

@app.action("alone", concurrency=1)
async def alone(number: int) -> None:
    await do("alone", number)

@app.action("many")
async def many(number: int) -> None:
    await do("many", number)

app.run(service="frozen")
"""
KINDS = ("alone", "many")


class Ledger:
    """What the replicas have begun and ended: lines such as ``begin alone 3 PID``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self, what: str) -> list[tuple[str, int, int]]:
        """The kind, the number and the process of each line."""
        split = [line.split() for line in self._path.read_text().splitlines()] if self._path.exists() else []
        return [(kind, int(number), int(pid)) for word, kind, number, pid in split if word == what]

    def in_hand(self, kind: str, pid: int) -> set[int]:
        """What a process has begun and not ended."""
        begun, ended = ({n for k, n, p in self.lines(what) if (k, p) == (kind, pid)} for what in ("begin", "end"))
        return begun - ended

    def begun_by_others(self, pid: int) -> set[int]:
        return {number for kind, number, other in self.lines("begin") if kind == "alone" and other != pid}

    def done(self, kind: str) -> set[int]:
        return {number for each, number, _ in self.lines("end") if each == kind}


@contextmanager
def three_replicas(folder: Path) -> Generator[dict[int, Service]]:
    """By process id."""
    program = folder / "worker.py"
    program.write_text(WORKER)
    url, ledger = private_redis_url(), str(folder / "ledger")
    with ExitStack() as stack:
        started = [
            stack.enter_context(launched(sys.executable, str(program), DAEBUS_REDIS_URL=url, LEDGER=ledger))
            for _ in range(3)
        ]
        for service in started:
            service.wait_for("service started")
        yield {service.process.pid: service for service in started}


async def test_the_others_go_on_and_take_over(tmp_path: Path) -> None:
    """One of three, then one of the two that are left; each has a message of an action of which one runs at a time."""
    ledger, number = Ledger(tmp_path / "ledger"), 0
    async with raw_redis(private_redis_url()) as redis, Bus(private_redis_url()) as bus:
        with three_replicas(tmp_path) as replicas:
            awake, sent = set(replicas), dict[str, set[int]]((kind, set()) for kind in KINDS)
            for _ in range(2):
                for _ in range(60):
                    number += 1
                    for kind in KINDS:
                        sent[kind].add(number)
                        await bus.send(Action[int, None](kind, service="frozen"), number)
                victim, held = await freeze_one(replicas, ledger, awake)
                awake.remove(victim)
                before = len(ledger.done("alone"))
                await until(lambda: held <= ledger.begun_by_others(victim))  # noqa: B023
                assert len(ledger.done("alone")) > before + 2  # meanwhile
                await until(lambda: all(ledger.done(kind) >= sent[kind] for kind in KINDS), 60)
            for pid in set(replicas) - awake:
                replicas[pid].process.send_signal(signal.SIGCONT)
                await replicas[pid].logged(LAPSED)
            await until(lambda: _is_empty(redis))
        assert not await redis.exists("daebus:{frozen}:dead")
        for kind in KINDS:
            runs = [n for each, n, _ in ledger.lines("begin") if each == kind]
            assert len(runs) - len(set(runs)) <= 2 * 128  # what the two had in their hands
            assert set(runs) == sent[kind]


async def freeze_one(replicas: dict[int, Service], ledger: Ledger, awake: set[int]) -> tuple[int, set[int]]:
    """Freeze a replica that has a message of ``alone`` in its hands; returns the process, and the message."""
    while True:
        await until(lambda: any(ledger.in_hand("alone", pid) for pid in awake))
        pid = next((pid for pid in awake if ledger.in_hand("alone", pid)), None)
        if pid is not None:
            replicas[pid].process.send_signal(signal.SIGSTOP)
            if held := ledger.in_hand("alone", pid):
                return pid, held
            replicas[pid].process.send_signal(signal.SIGCONT)


async def _is_empty(redis: Any) -> bool:
    return not any([await redis.xlen(f"daebus:{{frozen}}:action:{kind}") for kind in KINDS])
