"""``daebus mcp``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import click

from daebus.checking.examination import examine
from daebus.checking.targets import TargetError
from daebus.errors import ConfigurationError
from daebus.mcp.tools import tools_of
from daebus.operations.reachability import on_the_bus

from .asking import headers_option
from .failures import explained
from .shared import redis_url_option

__all__ = ["mcp"]

_TOKEN = "DAEBUS_TOKEN"  # noqa: S105  # the name of a variable


@click.command()
@click.argument("target")
@click.option("--service", help="The name of the service; default: that of the app.")
@headers_option
@redis_url_option
def mcp(target: str, service: str | None, headers: Mapping[str, str], redis_url: str | None) -> None:
    """Serve the tools of TARGET to an assistant, on stdin and stdout.

    Tools are the actions with tool=True. Each call goes to the running service, over the bus; nothing of TARGET is
    started. Assistants start this command themselves. If DAEBUS_TOKEN is set, it is sent as the token of the user.
    """
    with explained(TargetError):
        made = examine(target, service).require()
        tools = [tool for tool, _ in tools_of(made.plans.compiled())]
        if not tools:
            raise ConfigurationError(f"{made.service!r} has no tools: open an action with @action(..., tool=True)")
        from daebus.mcp.stdio import serve_stdio  # noqa: PLC0415  # it loads the package mcp

        token = os.environ.get(_TOKEN)
        given = headers if token is None else {"authorization": f"Bearer {token}", **headers}

        async def serve() -> None:
            async with on_the_bus(redis_url, start="in project") as (bus, _):
                await serve_stdio(made.service, tools, bus, given)

        asyncio.run(serve())
