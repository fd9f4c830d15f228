"""What several tests need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any, cast

import pytest
from dependency_injector import containers
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from daebus.app.kinds import compile_handler
from daebus.bus.bus import Bus
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.private_parts import find
from daebus.core.timings import Timings
from daebus.declare.recorder import Recorder
from daebus.declare.specs import Spec
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.workers import WorkerPool
from daebus.legacy.dialect import dialect_of
from daebus.protocol.limits import BusLimits

__all__ = ["Decorate", "closed", "hide_part", "open_bus", "raw_redis", "recorded", "until", "wired"]


@asynccontextmanager
async def raw_redis(url: str) -> AsyncGenerator[Any]:
    """A redis-py client, as somebody would use it who knows nothing of daebus. Its types are of no help in tests."""
    client = cast("Any", Redis).from_url(url)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def open_bus(url: str, timings: Timings, *, legacy: bool = False) -> AsyncGenerator[Bus]:
    """A bus of nobody's, with other times than the usual ones."""
    async with open_node(RedisServer.from_url(url, timings=timings)) as node:
        yield NodeBus(Caller(node, None, BusLimits(), dialect_of(legacy)(node)))


async def until(predicate: Callable[[], object], seconds: float = 20.0, pause: float = 0.005) -> None:
    """Poll until something holds, or what is awaited for it. Raises `TimeoutError` where it does not in time."""
    end = time.monotonic() + seconds
    while True:
        holds = predicate()
        if await holds if isawaitable(holds) else holds:
            return
        if time.monotonic() > end:  # not by cancelling: redis-py has been seen to swallow that
            raise TimeoutError
        await asyncio.sleep(pause)


def hide_part(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have a private part looked for in vain, which its library itself needs, so that it cannot be taken away.

    Args:
        monkeypatch: Brings it back.
        name: As in ``Owner.part``.
    """

    def find_others(part: str) -> object | None:
        return None if part.partition("(")[0].endswith(f":{name}") else find(part)

    monkeypatch.setattr("daebus.core.private_parts.find", find_others)


async def closed(socket: ClientConnection, seconds: float = 20.0) -> tuple[int, str]:
    """The code and the reason with which a service closes a WebSocket; what it sends before is dropped."""
    async with asyncio.timeout(seconds):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as end:
            if end.rcvd is None:
                raise  # the connection broke
            return end.rcvd.code, end.rcvd.reason


class _Reader(Recorder):
    def read(self, other: Recorder) -> Sequence[Spec]:
        return tuple(other._specs)


def recorded(recorder: Recorder) -> Sequence[Spec]:
    """What a recorder has recorded, as an app sees it."""
    return _Reader("reader").read(recorder)


Decorate = Callable[[Recorder], Callable[[Any], object]]
"""A decorator of an app: ``lambda app: app.action(GET_USER)``."""


def wired(
    decorate: Decorate, handler: Callable[..., object], container: containers.Container, workers: WorkerPool
) -> Endpoint[Any]:
    """A handler as an app wires it: ``wired(lambda app: app.action(GET_USER), get_user, Container(), workers)``."""
    recorder = Recorder("tests")
    decorate(recorder)(handler)
    (spec,) = recorded(recorder)
    return compile_handler(spec, container, workers)
