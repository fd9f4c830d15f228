"""``daebus listeners``: the listeners of durable channels, and their places after a rename."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import click
import msgspec

from daebus.channels.listener_groups import ListenerGroups, ListenerState
from daebus.errors import ConfigurationError
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.handing_over import ListenerChanges
from daebus.payloads.codec import encode

from .failures import explained
from .shared import opened, redis_url_option, table, time_of

__all__ = ["listeners"]

_HEAD = ("CHANNEL", "LISTENER", "STATE", "INSTANCES", "WAITING", "PENDING", "RETRYING", "OLDEST")

_service = click.argument("service")
_channel = click.argument("channel")


def _run(work: Coroutine[object, object, None]) -> None:
    with explained(ConfigurationError):
        asyncio.run(work)


@click.group()
def listeners() -> None:
    """Show the listeners of durable channels, hand the position of one over to another, or delete one.

    The position of a listener in a channel is stored under its name. A listener that no instance of a running service
    has is orphaned: its events are kept until the retention of the channel ends.
    """


@listeners.command("list")
@_service
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each listener.")
@redis_url_option
def list_(service: str, redis_url: str | None, *, as_json: bool) -> None:
    """Show the listeners that SERVICE has or had, and how many events wait for each."""

    async def show() -> None:
        async with opened(redis_url, service) as node:
            states = await ListenerGroups(node, service).all()
        if as_json:
            for state in states:
                click.echo(visible_json(encode({**msgspec.structs.asdict(state), "oldest": _time(state.oldest)})))
        else:
            click.echo(visible(table([_HEAD, *map(_row, states)]), lines=True))

    _run(show())


@listeners.command("hand-over")
@_service
@_channel
@click.argument("old")
@click.argument("new")
@redis_url_option
def hand_over(service: str, channel: str, old: str, new: str, redis_url: str | None) -> None:
    """Let the listener NEW of SERVICE continue at the position of OLD, with all events that OLD has not handled.

    If NEW was never started, it gets the position of OLD at its start, even while instances with OLD run: each event is
    then handled by one of the two. If NEW has its own position, OLD must have ended, and NEW also handles the events
    that OLD left from before NEW started.
    """

    async def change() -> None:
        async with opened(redis_url, service) as node:
            state, moved = await ListenerChanges(node, service).hand_over(channel, old, new)
        if moved is None:
            click.echo(f"{new} continues at the position of {_title(state, old)}: {_left(state)}", err=True)
        else:
            click.echo(f"{new} also handles {moved} events that {old} left from before {new} started", err=True)

    _run(change())


@listeners.command()
@_service
@_channel
@click.argument("name")
@redis_url_option
def drop(service: str, channel: str, name: str, redis_url: str | None) -> None:
    """Delete the listener NAME of SERVICE, which no instance has, with all the events that wait for it.

    Its dead letters remain, but can no longer be replayed.
    """

    async def change() -> None:
        async with opened(redis_url, service) as node:
            state = await ListenerChanges(node, service).drop(channel, name)
        click.echo(f"{_title(state, name)} dropped, with {_left(state)}", err=True)

    _run(change())


def _title(state: ListenerState, name: str) -> str:
    return state.title(name).replace("'", "")


def _left(state: ListenerState) -> str:
    waiting = "?" if state.waiting is None else state.waiting
    return f"{waiting} events waiting, {state.pending} pending, {state.retrying or 0} waiting for a retry"


def _row(state: ListenerState) -> tuple[str, ...]:
    waiting = "?" if state.waiting is None else state.waiting
    numbers = map(str, (state.instances, waiting, state.pending, state.retrying or 0))
    return (state.channel, state.listener, state.state, *numbers, _time(state.oldest) or "-")


def _time(ms: int | None) -> str | None:
    return None if ms is None else time_of(ms)
