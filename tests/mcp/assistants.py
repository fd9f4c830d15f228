"""An assistant: the official client of the Model Context Protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from daebus.testing import RunningService
from mcp import Client

__all__ = ["assistant"]


@asynccontextmanager
async def assistant(service: RunningService, *, mode: Any = "auto", token: str = "") -> AsyncGenerator[Client]:
    """Connected to the tools of a service; `mode`: the version of the protocol, as the client takes it."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = f"http://127.0.0.1:{service.ports['http']}/mcp"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client
