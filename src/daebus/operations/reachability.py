"""Reports of the commands on requests and events without a receiver, for which a misspelt name is no error."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus.bus.bus import Bus
from daebus.bus.caller import Caller
from daebus.bus.node_bus import NodeBus
from daebus.connection.find_server import EngineStart, find_server
from daebus.connection.node import Node, open_node
from daebus.connection.resp import CommandError
from daebus.discovery.directory import Directory
from daebus.embedded.deployment import REDIS_URL_VARIABLE
from daebus.embedded.place import project_folder
from daebus.errors import NoSuchAction, NoSuchService, Unavailable
from daebus.legacy.dialect import dialect_of
from daebus.protocol.limits import BusLimits
from daebus.protocol.messages import channel_stream
from daebus.telemetry.logs import make_logger

__all__ = ["elsewhere", "meant_durable", "nobody_came", "nobody_listens", "nobody_serves", "on_the_bus"]


@asynccontextmanager
async def on_the_bus(redis_url: str | None, *, start: EngineStart) -> AsyncGenerator[tuple[Bus, Node]]:
    """A bus, and the connections that it uses.

    Args:
        redis_url: The server; default: the environment's, or the project's embedded one.
        start: See `find_server`.

    Raises:
        ConfigurationError: The URL is wrong, or there is none and the embedded engine is not allowed.
        StartupError: The server cannot be reached, or the embedded engine does not run.
    """
    async with find_server(redis_url, make_logger(), start=start) as server, open_node(server) as node:
        yield NodeBus(Caller(node, None, BusLimits(), dialect_of(None)(node), warns=False)), node


def elsewhere(redis_url: str | None) -> str:
    """Where a missing service was looked for, if it is likely to be on another server."""
    if redis_url or os.environ.get(REDIS_URL_VARIABLE):
        return ""
    return f" This is the embedded engine of {project_folder()}, and each project has its own."


async def nobody_serves(node: Node, service: str, action: str) -> str | None:
    """The report if no live instance has the action."""
    directory = Directory(node)
    try:
        await directory.require(service, action)
    except NoSuchAction as error:
        return error.message
    except NoSuchService as error:
        if directory.has_seen(service):
            return error.message
        problem = await dialect_of(None)(node).instead(error, service)
        return None if problem is None else problem.message
    except (Unavailable, CommandError):  # it was sent before the server broke, or the user may not look
        pass
    return None


async def nobody_listens(node: Node, channel: str) -> str | None:
    """The report if a plain channel has no listener; None: it has one, or a cluster, where no node knows."""
    if node.server.is_cluster:
        return None
    try:
        heard = await node.link.is_heard(channel)
        # A service may receive requests of another dialect on the channel with its name.
        if heard and not await Directory(node).serves(channel):
            return None
    except (Unavailable, CommandError):
        return None
    durable = await meant_durable(node, channel)
    if heard:
        return durable
    return durable or f"No listener is connected to {channel!r} now, so the event is lost."


async def nobody_came(node: Node, channel: str) -> str | None:
    """The report if a durable channel never had a listener."""
    try:
        if await node.link.execute("XINFO", "GROUPS", channel_stream(channel)):
            return None
        count = 0 if await Directory(node).serves(channel) else await node.link.subscribers(channel)
    except (Unavailable, CommandError):
        return None
    kept = "the event is kept for future listeners."
    if not count:
        return f"No service has ever listened to {channel!r}: {kept}"
    listen = "subscriber listens" if count == 1 else "subscribers listen"
    return (
        f"{count} {listen} to {channel!r} as a plain channel, and did not get the event: leave out --durable to reach "
        f"them. No service has ever listened to it as a durable one: {kept}"
    )


async def meant_durable(node: Node, channel: str) -> str | None:
    """The report if a channel is taken for a plain one, and is, or was, a durable one."""
    try:
        await node.link.execute("XINFO", "GROUPS", channel_stream(channel))
    except (Unavailable, CommandError):  # there is no such stream
        return None
    return f"{channel!r} is a durable channel, which is separate from the plain channel of this name: add --durable."
