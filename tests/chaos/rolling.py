"""A rolling restart under load: every replica is replaced, one after another, and nobody notices."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from functools import partial
from pathlib import Path

import httpx
import msgspec
from tests.chaos.fleet import Fleet, Replica, daebus_service
from tests.chaos.load import Asking, Sending
from tests.engines import Engine
from tests.support import until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from daebus import Bus

__all__ = ["Rolled", "roll"]


class Rolled(msgspec.Struct):
    """What came of a rolling restart.

    Attributes:
        replaced: How many replicas were.
        messages: How many were sent and published.
        lost: How many of them were never handled.
        repeated: How many were begun twice.
        answered: How many calls and streams were answered.
        requests: How many HTTP requests were.
        echoes: How many WebSocket messages were.
        closes: With which codes the WebSockets were closed.
        exits: With which codes the replicas ended.
        failed: What went wrong.
    """

    replaced: int
    messages: int
    lost: int
    repeated: int
    answered: int
    requests: int = 0
    echoes: int = 0
    closes: list[int] = []
    exits: list[int] = []
    failed: list[str] = []


class _Web:
    """HTTP requests and WebSockets to whichever replica takes them, as behind a load balancer."""

    def __init__(self, fleet: Fleet, rng: random.Random) -> None:
        self._rng = rng
        self._open = list(fleet.replicas)
        self._numbers = itertools.count(1)
        self.requests = 0
        self.echoes = 0
        self.unanswered: list[tuple[str, int]] = []
        self.closes: list[int] = []
        self.failed: list[str] = []

    def take(self, replica: Replica) -> None:
        """It is ready."""
        self._open.append(replica)

    def leave(self, replica: Replica) -> None:
        """It is about to go: a load balancer sends it nothing new. What it has, it ends."""
        self._open.remove(replica)

    def _port(self) -> int:
        port = self._rng.choice(self._open).port
        assert port is not None
        return port

    async def request(self) -> None:
        """One after another, each on a connection of its own; what nobody has answered goes to another replica."""
        while True:
            number = next(self._numbers)
            async with httpx.AsyncClient() as client:
                try:
                    response = await client.get(f"http://127.0.0.1:{self._port()}/ask/{number}", timeout=10)
                except (httpx.ConnectError, httpx.RemoteProtocolError):
                    self.unanswered.append(("request", number))
                    continue
                except httpx.HTTPError as error:
                    self.failed.append(f"HTTP: {error!r}")
                    continue
            if response.status_code == 200 and response.json() == number:
                self.requests += 1
            else:
                self.failed.append(f"HTTP {response.status_code}: {response.text}")

    async def converse(self) -> None:
        """Ask on a WebSocket until it is closed, then on another."""
        while True:
            try:
                socket = await connect(f"ws://127.0.0.1:{self._port()}/ws")
            except (OSError, InvalidHandshake):
                continue
            async with socket:
                await self._ask_on(socket)
                self.closes.append(socket.close_code or 0)

    async def _ask_on(self, socket: ClientConnection) -> None:
        number = 0
        try:
            while True:
                await asyncio.sleep(0.02)
                number = next(self._numbers)
                await socket.send(f'{{"type": "ask", "data": {number}, "id": {number}}}')
                answer = msgspec.json.decode(await socket.recv())
                if answer == {"type": "response", "data": number, "id": number}:
                    self.echoes += 1
                else:
                    self.failed.append(f"WebSocket: {answer}")
        except ConnectionClosed:
            self.unanswered.append(("socket", number))


async def roll(folder: Path, *, seed: int, rounds: int = 1, rate: float = 200) -> Rolled:
    """SIGTERM for each replica in turn, another in its place first."""
    with (
        Engine(folder) as engine,
        Fleet(folder, daebus_service(engine.tcp_url), {"CHAOS_WORK_SECONDS": "0.2"}) as fleet,
    ):
        fleet.wait()
        async with Bus(engine.tcp_url) as bus:
            return await _roll(fleet, bus, random.Random(seed), rounds, rate)


async def _roll(fleet: Fleet, bus: Bus, rng: random.Random, rounds: int, rate: float) -> Rolled:
    sending, asking, web = Sending(bus, rate), Asking(bus), _Web(fleet, rng)
    clients = [asyncio.create_task(client()) for client in [web.request, web.converse] * 6]
    load = [asyncio.create_task(part.go_on(3_600)) for part in (sending, asking)]
    await until(lambda: asking.answered > 20 and web.requests > 20 and web.echoes > 20, 30)
    exits = [code for _ in range(rounds) for code in await _replace(fleet, web)]
    for part in (sending, asking):
        part.stop()
    await asyncio.gather(*load)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    await until(lambda: not _lost(fleet, sending), 30)
    ledger = fleet.ledger()
    # What crosses the goodbye is never read; what was begun is answered before it.
    cut = [f"{kind} {number} was not answered" for kind, number in web.unanswered if (kind, number) in ledger.runs]
    return Rolled(
        replaced=len(exits),
        messages=sending.count,
        lost=_lost(fleet, sending),
        repeated=len(ledger.repeated()),
        answered=asking.answered,
        requests=web.requests,
        echoes=web.echoes,
        closes=web.closes,
        exits=exits,
        failed=asking.failed + web.failed + cut,
    )


async def _replace(fleet: Fleet, web: _Web) -> list[int]:
    """New ones first, then the old ones go, one after another. Their exit codes."""
    old = list(fleet.replicas)
    for replica, made in [(replica, fleet.replace(replica)) for replica in old]:
        await until(partial(_is_ready, made), 120)
        web.take(made)
        web.leave(replica)
        replica.signal(signal.SIGTERM)
        await until(partial(_has_ended, replica), 30)
    return [replica.process.wait() for replica in old]


def _is_ready(replica: Replica) -> bool:
    return replica.port is not None


def _has_ended(replica: Replica) -> bool:
    return replica.process.poll() is not None


def _lost(fleet: Fleet, sending: Sending) -> int:
    ledger = fleet.ledger()
    return sum(len(taken - ledger.ended(kind)) for kind, taken in sending.taken.items())
