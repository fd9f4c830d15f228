"""What HTTP clients can make the process hold, and for how long."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from tests.support import until

from daebus.core.logs import make_logger
from daebus.transports.budgets import Budget
from daebus.transports.server import HttpServer
from daebus.transports.server_limits import HttpLimits

MiB = 1 << 20
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def large(scope: Any, receive: Any, send: Any) -> None:
    """An application whose answers have 10 MB, or as the path says."""
    size = int(scope["path"].strip("/") or 10_000_000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"x" * size})


@asynccontextmanager
async def serving(app: Any, limits: HttpLimits | None = None, held: int = 64 * MiB) -> AsyncGenerator[int]:
    budget = Budget(held)
    server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger(), limits=limits, budget=budget)
    port = await server.start()
    try:
        yield port
    finally:
        await server.stop(1)
    assert budget.used == 0


async def connected(port: int) -> socket.socket:
    """A client that reads only when it is told to."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_a_client_that_does_not_read_its_answer_is_gone_after_a_while() -> None:
    async with serving(large, HttpLimits(write_timeout=0.5)) as port:
        before = descriptors()
        client = await connected(port)
        client.send(REQUEST)
        await until(lambda: descriptors() == before + 2)
        await until(lambda: descriptors() == before + 1)
        client.close()
