"""What commands have in common: the option ``--redis-url``, a connection, times of the server's clock, and tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from daebus.connection.node import Node

__all__ = ["Command", "opened", "redis_url_option", "table", "time_of"]

Command = TypeVar("Command", bound="Callable[..., object] | click.Command")


def redis_url_option(command: Command) -> Command:
    """The option ``--redis-url``."""
    text = "URL of Redis or Valkey; default: DAEBUS_REDIS_URL, else the project's embedded engine."
    return click.option("--redis-url", help=text)(command)


@asynccontextmanager
async def opened(redis_url: str | None, service: str | None) -> AsyncGenerator[Node]:
    """A connection of an operator; an embedded engine is started if the project has data.

    Args:
        redis_url: The server; None: that of the environment, or the embedded one of the project.
        service: A service that must be known on the server; None: any.

    Raises:
        ConfigurationError: No server is named, or its URL is wrong.
        StartupError: The server cannot be reached.
        UnknownServiceError: The service has left no trace on the server.
    """
    from daebus.connection.find_server import find_server  # noqa: PLC0415  # not every command needs a server
    from daebus.connection.node import open_node  # noqa: PLC0415
    from daebus.telemetry.logs import make_logger  # noqa: PLC0415

    from .unknown import require_known  # noqa: PLC0415

    async with find_server(redis_url, make_logger(), start="with data") as server, open_node(server) as node:
        if service is not None:
            await require_known(node, service)
        yield node


def time_of(ms: int) -> str:
    """A time in ms, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Lines with columns of equal width; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
