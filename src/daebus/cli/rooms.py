"""``daebus rooms``: the rooms of WebSocket clients, their members and offsets."""

from __future__ import annotations

import asyncio

import click

from daebus.errors import ConfigurationError
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.room_states import room_states
from daebus.payloads.codec import encode

from .failures import explained
from .shared import opened, redis_url_option, table

__all__ = ["rooms"]

_HEAD = ("ROOM", "MEMBERS", "OFFSET", "KEPT", "EPOCH")


@click.command()
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each room.")
@redis_url_option
def rooms(service: str | None, redis_url: str | None, *, as_json: bool) -> None:
    """Show the rooms of WebSocket clients: members, the offset of the last message, and how many messages are kept.

    With SERVICE, only the rooms in which clients of this service are. Rooms belong to no service: without it, all are
    shown, also those without members whose last message is less than a week old.
    """

    async def show() -> None:
        async with opened(redis_url, service) as node:
            states = await room_states(node, service)
        if as_json:
            for state in states:
                click.echo(visible_json(encode(state)))
        else:
            rows = [(one.room, str(one.members), str(one.offset), str(one.kept), one.epoch) for one in states]
            click.echo(visible(table([_HEAD, *rows]), lines=True))

    with explained(ConfigurationError):
        asyncio.run(show())
