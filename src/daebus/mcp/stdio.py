"""Tools over stdin and stdout: each call goes to the running service, over the bus."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import msgspec
from mcp.server.stdio import stdio_server

from daebus.bus.bus import Bus
from daebus.declare.contracts import Action, StreamAction

from .server import Asked, make_server
from .tools import Tool

__all__ = ["serve_stdio"]


async def serve_stdio(service: str, tools: Sequence[Tool], bus: Bus, headers: Mapping[str, str]) -> None:
    """Serve one assistant until it closes stdin.

    Args:
        service: The name under which the service runs.
        tools: Its tools.
        bus: Where it is called.
        headers: The headers of each call.
    """

    async def ask(tool: Tool, payload: bytes, _: Asked) -> AsyncGenerator[bytes]:
        raw = msgspec.Raw(payload)
        if not tool.streams:
            yield bytes(
                await bus.call(Action[msgspec.Raw, msgspec.Raw](tool.name, service=service), raw, headers=headers)
            )
            return
        contract = StreamAction[msgspec.Raw, msgspec.Raw](tool.name, service=service)
        async with aclosing(bus.stream(contract, raw, headers=headers)) as items:
            async for item in items:
                yield bytes(item)

    server = make_server(service, tools, ask)
    async with stdio_server() as (requests, answers):
        await server.run(requests, answers, server.create_initialization_options())
