"""Streams that are cut: by their clients, under load, and by the stop of the service."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec
from tests.chaos.streaming_service import State
from tests.engines import Engine
from tests.processes import serving
from tests.support import until

__all__ = ["Cut", "Stopped", "cut", "stop"]

_Asking = Callable[[], Awaitable[State]]

_AT_ONCE = 40
_TARGET = "tests/chaos/streaming_service.py:app"
_PATHS = ("/rows", "/blocking", "/events")
_SLACK = 8
"""Descriptors and tasks of connections that come and go."""


class Cut(msgspec.Struct):
    """What came of clients that leave in the middle of a stream.

    Attributes:
        streams: How many were cut.
        sessions: How many per-message objects stayed open.
        generators: How many generators did.
        tasks: How many tasks were left.
        descriptors: How many descriptors were.
    """

    streams: int
    sessions: int
    generators: int
    tasks: int
    descriptors: int


class Stopped(msgspec.Struct):
    """What came of a stop under open event streams.

    Attributes:
        streams: How many were open.
        seconds: How long the stop took.
        code: The exit code of the process.
        cut: How many clients did not see the end of their stream.
        sessions: How many per-message objects were open at the end.
        generators: How many generators were.
    """

    streams: int
    seconds: float
    code: int
    cut: int
    sessions: int
    generators: int


async def cut(folder: Path, *, seed: int, streams: int) -> Cut:
    """Have clients leave `streams` streams of all kinds, many at once."""
    rng = random.Random(seed)
    turns = asyncio.Semaphore(_AT_ONCE)
    with Engine(folder) as engine, serving(_TARGET, redis_url=engine.url) as service:
        async with httpx.AsyncClient(base_url=service.url, timeout=30, verify=False) as client:

            async def state() -> State:
                return msgspec.json.decode((await client.get("/state")).content, type=State)

            async def leave(path: str, after: float) -> None:
                async with turns, client.stream("GET", path) as response:
                    async for _ in response.aiter_raw():
                        await asyncio.sleep(after)
                        return

            await leave("/rows", 0)
            await until(lambda: _is_quiet(state))
            before = await state()
            await asyncio.gather(*(leave(rng.choice(_PATHS), rng.random() / 10) for _ in range(streams)))
            await until(lambda: _is_quiet(state))
            now = await state()
            for _ in range(100):
                if now.tasks <= before.tasks + _SLACK and now.descriptors <= before.descriptors + _SLACK:
                    break
                await asyncio.sleep(0.05)
                now = await state()
    assert now.opened == streams + 1
    tasks, descriptors = now.tasks - before.tasks - _SLACK, now.descriptors - before.descriptors - _SLACK
    return Cut(streams, now.sessions, now.generators, max(0, tasks), max(0, descriptors))


async def _is_quiet(state: _Asking) -> bool:
    now = await state()
    return now.sessions == now.generators == 0


async def stop(folder: Path, *, streams: int) -> Stopped:
    """Stop a service that has so many event streams open, with all settings at their defaults."""
    with Engine(folder) as engine, serving(_TARGET, redis_url=engine.url) as service:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=service.url, timeout=60, verify=False, limits=limits) as client:
            begun: list[bool] = []

            async def listen() -> bool:
                try:
                    async with client.stream("GET", "/events") as response:
                        chunks = response.aiter_raw()
                        await anext(chunks)
                        begun.append(True)
                        async for _ in chunks:
                            pass
                except (httpx.RemoteProtocolError, httpx.ReadError):
                    return True
                return False

            listening = [asyncio.create_task(listen()) for _ in range(streams)]
            await until(lambda: len(begun) == streams)
            since = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(service.process.wait, 60)
            seconds = time.monotonic() - since
            cuts = sum(await asyncio.gather(*listening))
        (left,) = service.lines("left open")
    return Stopped(streams, seconds, code, cuts, int(str(left["sessions"])), int(str(left["generators"])))
