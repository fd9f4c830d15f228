"""``daebus dead``: inspecting, replaying and dropping dead letters."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import click
import msgspec

from daebus.channels.listener_groups import ListenerError
from daebus.errors import ConfigurationError, DaebusError
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.dead_letters import DeadLetters, Letter
from daebus.payloads.codec import encode
from daebus.payloads.mistakes import Mistake

from .failures import explained
from .shared import opened, redis_url_option, time_of
from .unknown import require_handler

__all__ = ["dead"]

F = TypeVar("F", bound=Callable[..., object])

_PLACE = re.compile(r'File "(?![^"\n]*(?:(?:site-packages|src)/daebus|/asyncio)/)([^"\n]*)", line (\d+), in (.*)')
_REST = ("deliveries", "sent", "failed", "died", "sender", "instance", "request_id", "event_id")


class _MistakesOfEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    errors: list[Mistake]
    more: bool = False


class _NoSuchLetterError(DaebusError):
    """An id names no dead letter."""


class _Chosen(msgspec.Struct, frozen=True):
    """The selected letters: those with these ids, or else all on which these handlers failed."""

    ids: tuple[str, ...] = ()
    action: str | None = None
    listener: str | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is selected, apart from its id."""
        return self.action in (None, letter.action) and self.listener in (None, letter.listener)


@asynccontextmanager
async def _opened(redis_url: str | None, service: str) -> AsyncGenerator[DeadLetters]:
    async with opened(redis_url, service) as node:
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
        is_empty, names = True, (set[str](), set[str]())
        async for letter in letters.all():
            names[letter.action is not None].add(letter.action or letter.listener or "")
            if chosen.takes(letter):
                is_empty = False
                yield letter
        if is_empty:
            await require_handler(letters, chosen.action, chosen.listener, *names)


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
        "exception": letter.exception,
        "reason": letter.reason,
        "where": _where(letter),
        "deliveries": letter.deliveries,
        "sent": time_of(letter.sent),
        "failed": None if letter.failed is None else time_of(letter.failed),
        "died": time_of(letter.died),
        "sender": letter.sender,
        "instance": letter.instance,
        "request_id": letter.request_id,
        "event_id": letter.event_id,
        "headers": letter.headers,
        "details": _details(letter),
    }


def _known(summary: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in summary.items() if value not in (None, "")}


def _where(letter: Letter) -> str | None:
    """The innermost place of a traceback, outside of daebus and asyncio."""
    places = _PLACE.findall(letter.traceback or "")
    return "{}:{} in {}".format(*places[-1]) if places else None


def _line(letter: Letter) -> str:
    """A line such as ``17-0  listen orders mails  internal  KeyError: 'id' at mails.py:12 in send  deliveries=6 …``."""
    told = _known(_summary(letter))
    cause = letter.error
    if letter.exception is not None:
        cause = f"{letter.exception}: {letter.reason}" if letter.reason else letter.exception
        cause += f" at {told['where']}" if "where" in told else ""
    rest = [f"{name}={told[name]}" for name in _REST if name in told]
    rest += [f"details={letter.details.decode(errors='replace')}"] if letter.details else []
    return "  ".join([letter.id, letter.handler, letter.code, cause, " ".join(rest)])


def _whole(letter: Letter) -> dict[str, object]:
    try:
        payload: object = msgspec.Raw(msgspec.json.format(letter.payload, indent=-1))
    except (ValueError, RecursionError):
        payload = letter.payload.decode(errors="replace")
    return {"service": letter.service, **_summary(letter), "traceback": letter.traceback, "payload": payload}


def _details(letter: Letter) -> object:
    try:
        return None if letter.details is None else msgspec.json.decode(letter.details)
    except (ValueError, RecursionError):
        return cast("bytes", letter.details).decode(errors="replace")


def _page(letter: Letter) -> str:
    """All known facts of a letter, one per line; the payload and the traceback last."""
    told = _known(_whole(letter))
    payload, traceback, details = told.pop("payload"), told.pop("traceback", None), told.pop("details", None)
    told |= {"headers": encode(told["headers"]).decode()} if "headers" in told else {}
    lines = [f"{name + ':':<12} {visible(str(value))}" for name, value in told.items()]
    if details is not None:
        lines += [f"{'details:':<12} {visible(each)}" for each in _facts(details)]
    text = visible(bytes(payload).decode() if isinstance(payload, msgspec.Raw) else str(payload))
    lines.append(f"{'payload:':<12} {text}")
    return "\n".join(lines) + (f"\n\n{visible(str(traceback), lines=True)}" if traceback else "")


def _facts(details: object) -> list[str]:
    """The mistakes of an event, such as ``payload $.user_id: Expected `str`, got `int```; else the details as JSON."""
    try:
        found = msgspec.convert(details, _MistakesOfEvent)
    except msgspec.ValidationError:
        return [encode(details).decode()]
    return [f"{one.place} {one.path}: {one.problem}" for one in found.errors] + ["there are more mistakes"] * found.more


_service = click.argument("service")


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one line for each letter.")


def _filters(command: F) -> F:
    command = click.option("--listener", metavar="NAME", help="Only events of this listener, such as users.on_order.")(
        command
    )
    return click.option("--action", metavar="NAME", help="Only requests for this action.")(command)


def _choice(command: F) -> F:
    """The arguments of a command that changes letters: ids, or all, or a handler."""
    command = click.option("--all", "everything", is_flag=True, help="All dead letters.")(_filters(command))
    return redis_url_option(_service(click.argument("ids", metavar="[ID]...", nargs=-1)(command)))


@click.group()
def dead() -> None:
    """Show messages that could not be handled, replay them, or delete them.

    A request or an event becomes a dead letter when its handler refuses it, when its retries are used up, or when it
    was delivered to several instances and none of them finished it.
    """


@dead.command("list")
@_service
@_filters
@_json
@redis_url_option
def list_(service: str, *, action: str | None, listener: str | None, as_json: bool, redis_url: str | None) -> None:
    """Print a line for each dead letter of SERVICE, the oldest first: error, place, time, and sender."""

    async def show() -> None:
        async with _opened(redis_url, service) as letters:
            async for letter in _found(letters, _Chosen(action=action, listener=listener)):
                click.echo(visible_json(encode(_known(_summary(letter)))) if as_json else visible(_line(letter)))

    _run(show())


@dead.command()
@_service
@click.argument("letter_id", metavar="ID")
@_json
@redis_url_option
def show(service: str, letter_id: str, *, as_json: bool, redis_url: str | None) -> None:
    """Print everything that is stored of one dead letter, with its payload and the traceback of the exception."""

    async def look() -> None:
        async with _opened(redis_url, service) as letters:
            async for letter in _found(letters, _Chosen((letter_id,))):
                click.echo(visible_json(encode(_known(_whole(letter)))) if as_json else _page(letter))

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
    """Queue dead letters of SERVICE again, as if they had just been sent; an event for the listener that failed.

    Prints the id of each. A message that becomes a dead letter again in the meantime is not replayed twice. An event is
    not replayed if the service runs and no instance has the listener any more.
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
        raise click.UsageError("Choose the dead letters: give ids, --all, --action or --listener.")
    return _Chosen(ids, action, listener)


async def _change(
    redis_url: str | None,
    service: str,
    chosen: _Chosen,
    change: Callable[[DeadLetters, Letter], Coroutine[object, object, bool]],
    done: str,
) -> None:
    count = stuck = 0
    async with _opened(redis_url, service) as letters:
        waits = change == DeadLetters.replay and not await letters.is_served()
        async for letter in _found(letters, chosen):
            try:
                if await change(letters, letter):
                    click.echo(visible_json(encode({"id": letter.id})))
                    count += 1
            except ListenerError as error:
                click.echo(f"{letter.id}: {visible(str(error))}", err=True)
                stuck += 1
    click.echo(f"{count} {done}", err=True)
    if count and waits:
        click.echo(f"No instance of {service!r} runs now: they wait until one with their handler starts.", err=True)
    if stuck:
        sys.exit(1)
