"""A console that is served, and a client of it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from daebus.connection.node import Node
from daebus.console.access import Access
from daebus.console.console import Console
from daebus.console.serving import serving_console
from daebus.telemetry.logs import make_logger

__all__ = ["act", "looking", "state_with"]


@asynccontextmanager
async def looking(
    node: Node, *, token: str | None = None, read_only: bool = False, wiring: bytes | None = None
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a console that is served on a free port."""
    console = Console(Access(token, read_only=read_only), wiring)
    async with (
        serving_console(console, node, host="127.0.0.1", port=0, logger=make_logger()) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield client


async def state_with(client: httpx.AsyncClient, path: str, holds: Callable[[Any], object], **query: str) -> Any:
    """The first state of a stream for which something holds."""
    async with client.stream("GET", path, params=query) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("data: ") and holds(state := json.loads(line.removeprefix("data: "))):
                return state
    raise AssertionError("the stream has ended")


async def act(client: httpx.AsyncClient, path: str, **body: object) -> Any:
    """The answer to an act; of a call, its lines."""
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    if response.headers["content-type"].startswith("application/x-ndjson"):
        return [json.loads(line) for line in response.text.splitlines()]
    return response.json()
