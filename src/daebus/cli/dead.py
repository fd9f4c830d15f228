"""``daebus dead``: what could not be handled; look at it, replay it, drop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import click
import msgspec

from daebus.core.codec import encode
from daebus.core.errors import ConfigurationError, DaebusError
from daebus.core.logs import make_logger
from daebus.core.terminal import visible_json
from daebus.transports.dead_letters import DeadLetters, Letter
from daebus.transports.node import open_node
from daebus.transports.servers import find_server

from .failures import explained

__all__ = ["dead"]

F = TypeVar("F", bound=Callable[..., object])


class _NoSuchLetterError(DaebusError):
    """An id names no dead letter."""


class _Chosen(msgspec.Struct, frozen=True):
    """Which letters are meant: those with these ids, or else all that these handlers failed on."""

    ids: tuple[str, ...] = ()
    action: str | None = None
    listener: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is one of them, if ids do not matter."""
        return self.action in (None, letter.action) and self.listener in (None, letter.listener)


@asynccontextmanager
async def _opened(redis_url: str | None, service: str) -> AsyncGenerator[DeadLetters]:
    async with find_server(redis_url, make_logger(), start="with data") as server, open_node(server) as node:
        yield DeadLetters(node, service)


async def _found(letters: DeadLetters, chosen: _Chosen) -> AsyncGenerator[Letter]:
    found = {letter_id: await letters.find(letter_id) for letter_id in chosen.ids}
    missing = [letter_id for letter_id, letter in found.items() if letter is None]
    if missing:
        raise _NoSuchLetterError(f"There is no dead letter {missing[0]}; `daebus dead list` shows those there are.")
    for letter in found.values():
        if letter is not None:
            yield letter
    if not chosen.ids:
        async for letter in letters.all():
            if chosen.takes(letter):
                yield letter


def _run(work: Coroutine[object, object, None]) -> None:
    with explained(ConfigurationError):
        asyncio.run(work)


def _summary(letter: Letter) -> dict[str, object]:
    handler = {"channel": letter.channel, "listener": letter.listener}
    return {
        "id": letter.id,
        **(handler if letter.action is None else {"action": letter.action}),
        "code": letter.code,
        "error": letter.error,
        "deliveries": letter.deliveries,
        "sent": _time(letter.sent),
        "died": _time(letter.died),
    }


def _whole(letter: Letter) -> dict[str, object]:
    try:
        payload: object = msgspec.Raw(msgspec.json.format(letter.payload, indent=-1))
    except (ValueError, RecursionError):
        payload = letter.payload.decode(errors="replace")
    more = {"request_id": letter.request_id, "instance": letter.instance, "payload": payload}
    return {"service": letter.service, **_summary(letter), **more}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_service = click.argument("service")
_redis_url = click.option(
    "--redis-url", help="Redis or Valkey; default: DAEBUS_REDIS_URL, else the project's embedded engine."
)


def _filters(command: F) -> F:
    command = click.option("--listener", metavar="NAME", help="Only events of this listener, such as users.on_order.")(
        command
    )
    return click.option("--action", metavar="NAME", help="Only requests for this action.")(command)


def _choice(command: F) -> F:
    """The arguments of a command that changes something: ids, or all, or a handler."""
    command = click.option("--all", "everything", is_flag=True, help="All that there are.")(_filters(command))
    return _redis_url(_service(click.argument("ids", metavar="[ID]...", nargs=-1)(command)))


@click.group()
def dead() -> None:
    """Look at what could not be handled, handle it again, or drop it.

    A request or an event dies when its handler refuses it, when its retries are used up, or when it was given to
    several instances and finished by none.
    """


@dead.command("list")
@_service
@_filters
@_redis_url
def list_(service: str, action: str | None, listener: str | None, redis_url: str | None) -> None:
    """Print a line of JSON for each dead letter of SERVICE, the oldest first."""

    async def show() -> None:
        async with _opened(redis_url, service) as letters:
            async for letter in _found(letters, _Chosen(action=action, listener=listener)):
                click.echo(visible_json(encode(_summary(letter))))

    _run(show())


@dead.command()
@_service
@click.argument("letter_id", metavar="ID")
@_redis_url
def show(service: str, letter_id: str, redis_url: str | None) -> None:
    """Print all that is known of one dead letter, with its payload, as a line of JSON."""

    async def look() -> None:
        async with _opened(redis_url, service) as letters:
            async for letter in _found(letters, _Chosen((letter_id,))):
                click.echo(visible_json(encode(_whole(letter))))

    _run(look())


@dead.command()
@_choice
def replay(
    service: str,
    ids: tuple[str, ...],
    *,
    action: str | None,
    listener: str | None,
    everything: bool,
    redis_url: str | None,
) -> None:
    """Have dead letters of SERVICE handled again, as if they had just been sent; an event by the listener that failed.

    Prints the id of each. Those that die again meanwhile are not replayed twice.
    """
    chosen = _chosen(ids, action, listener, everything=everything)
    _run(_change(redis_url, service, chosen, DeadLetters.replay, "replayed"))


@dead.command()
@_choice
def drop(
    service: str,
    ids: tuple[str, ...],
    *,
    action: str | None,
    listener: str | None,
    everything: bool,
    redis_url: str | None,
) -> None:
    """Delete dead letters of SERVICE. Prints the id of each."""
    chosen = _chosen(ids, action, listener, everything=everything)
    _run(_change(redis_url, service, chosen, DeadLetters.drop, "dropped"))


def _chosen(ids: tuple[str, ...], action: str | None, listener: str | None, *, everything: bool) -> _Chosen:
    given = [bool(ids), everything, action is not None or listener is not None]
    if sum(given) != 1:
        raise click.UsageError("Say which: ids, or --all, or --action, or --listener.")
    return _Chosen(ids, action, listener)


async def _change(
    redis_url: str | None,
    service: str,
    chosen: _Chosen,
    change: Callable[[DeadLetters, Letter], Coroutine[object, object, bool]],
    done: str,
) -> None:
    count = 0
    async with _opened(redis_url, service) as letters:
        async for letter in _found(letters, chosen):
            if await change(letters, letter):
                click.echo(visible_json(encode({"id": letter.id})))
                count += 1
    click.echo(f"{count} {done}", err=True)
