"""What commands have in common: the option ``--redis-url``, times of the server's clock, and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import click

__all__ = ["Command", "redis_url_option", "table", "time_of"]

Command = TypeVar("Command", bound="Callable[..., object] | click.Command")


def redis_url_option(command: Command) -> Command:
    """The option ``--redis-url``."""
    text = "URL of Redis or Valkey; default: DAEBUS_REDIS_URL, else the project's embedded engine."
    return click.option("--redis-url", help=text)(command)


def time_of(ms: int) -> str:
    """A time in ms, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Lines with columns of equal width; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
