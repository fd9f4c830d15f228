"""``daebus call``, ``send``, ``publish`` and ``listen``: talking to services from a shell."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import cast

import click
import msgspec

from daebus.bus.open_bus import DEFAULT_TIMEOUT
from daebus.declare.contracts import Action, Channel, StreamAction
from daebus.errors import BadRequest, ConfigurationError, NoSuchService
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.reachability import (
    elsewhere,
    meant_durable,
    nobody_came,
    nobody_listens,
    nobody_serves,
    on_the_bus,
)
from daebus.operations.watching import events
from daebus.protocol.headers import checked

from .failures import explained
from .shared import Command, redis_url_option

__all__ = ["call", "headers_option", "listen", "publish", "send"]

_FOR_EVER = 1e11
"""A retention in seconds that is so long that publishing here never deletes older events."""

_NOTHING = msgspec.Raw(b"null")
"""The payload if none is given."""


def _as_json(_context: click.Context, _parameter: click.Parameter, value: str | None) -> msgspec.Raw:
    """JSON that is sent unchanged; ``-`` reads it from stdin."""
    if value is None:
        return _NOTHING
    body = sys.stdin.buffer.read() if value == "-" else value.encode("utf-8", "surrogateescape")
    try:
        msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{_excerpt(body)} is not JSON: {_place(body) or error}") from error
    return msgspec.Raw(body)


def _as_headers(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> Mapping[str, str]:
    if wrong := [each for each in value if "=" not in each]:
        raise click.BadParameter(f"the header {wrong[0]!r} is not written as NAME=VALUE")
    try:
        return checked({name: text for name, _, text in (each.partition("=") for each in value)})
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from error


def _place(body: bytes) -> str | None:
    """The mistake, with its line and column; None if only msgspec knows."""
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        hint = ". Write a string with double quotes inside single quotes: '\"text\"'" if body.isalnum() else ""
        return f"{error}{hint}"
    except (ValueError, RecursionError):
        pass
    return None


def _excerpt(body: bytes) -> str:
    text = body.decode(errors="replace")
    return text if len(text) <= 60 else f"{text[:59]}…"


def headers_option(command: Command) -> Command:
    """The option ``--header``."""
    text = "A header of the message; may be given several times."
    return click.option("--header", "headers", metavar="NAME=VALUE", multiple=True, callback=_as_headers, help=text)(
        command
    )


_payload = click.argument("payload", metavar="[JSON]", callback=_as_json, required=False)


@click.command()
@click.argument("service")
@click.argument("action")
@_payload
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=DEFAULT_TIMEOUT,
    show_default=True,
    help="Seconds to wait for the reply, or for the whole stream; 0: no limit.",
)
@headers_option
@redis_url_option
def call(
    service: str,
    action: str,
    payload: msgspec.Raw,
    timeout: float,
    headers: Mapping[str, str],
    redis_url: str | None,
) -> None:
    """Call ACTION of SERVICE, and print the reply. Each item of a stream is printed on a line.

    JSON is the payload; - reads it from stdin. A failed call prints {"code", "message", "details"} to stderr.
    """

    async def ask() -> None:
        contract = StreamAction[msgspec.Raw, msgspec.Raw](action, service=service)
        replies = 0
        async with (
            on_the_bus(redis_url, start="never") as (bus, _),
            aclosing(bus.stream(contract, payload, timeout=timeout or None, headers=headers)) as stream,
        ):
            try:
                async for reply in stream:
                    click.echo(_line(bytes(reply)))
                    replies += 1
            except NoSuchService as error:
                raise NoSuchService(error.message + elsewhere(redis_url), details=error.details) from error
            except BadRequest as error:
                if payload is not _NOTHING or not _is_all_wrong(error):
                    raise
                missing = f"{action!r} takes a payload, and none is given: write it as JSON, the third argument"
                raise BadRequest(f"{missing}. {error.message}", details=error.details) from error
        if not replies:
            click.echo("null")

    with explained(ConfigurationError):
        asyncio.run(ask())


@click.command()
@click.argument("service")
@click.argument("action")
@_payload
@headers_option
@redis_url_option
def send(service: str, action: str, payload: msgspec.Raw, headers: Mapping[str, str], redis_url: str | None) -> None:
    """Queue a request, without waiting for a reply.

    It stays in the queue of ACTION of SERVICE until it is handled. JSON is the payload; - reads it from stdin. If no
    instance has the action now, a line on stderr says so.
    """

    async def queue() -> None:
        async with on_the_bus(redis_url, start="in project") as (bus, node):
            await bus.send(Action[msgspec.Raw, None](action, service=service), payload, headers=headers)
            if (reason := await nobody_serves(node, service, action)) is not None:
                click.echo(visible(f"The request waits until an instance handles it. {reason}"), err=True)

    with explained(ConfigurationError):
        asyncio.run(queue())


@click.command()
@click.argument("channel")
@click.argument("event", metavar="JSON", callback=_as_json)
@click.option("--durable", is_flag=True, help="The channel is durable: the event is kept until handled.")
@headers_option
@redis_url_option
def publish(
    channel: str,
    event: msgspec.Raw,
    durable: bool,  # noqa: FBT001  # click
    headers: Mapping[str, str],
    redis_url: str | None,
) -> None:
    """Publish an event to all listeners of CHANNEL. JSON is the event; - reads it from stdin.

    If there is no listener, a line on stderr says so: the event is kept if the channel is durable, else lost.
    """

    async def tell() -> None:
        # Without a durable channel and without a running engine nobody could hear it, now or later.
        async with on_the_bus(redis_url, start="in project" if durable else "never") as (bus, node):
            made = Channel[msgspec.Raw]
            kept = made(channel, durable=True, retention=_FOR_EVER) if durable else made(channel)
            await bus.publish(kept, event, headers=headers)
            reason = await (nobody_came if durable else nobody_listens)(node, channel)
            if reason is not None:
                click.echo(visible(reason), err=True)

    with explained(ConfigurationError):
        asyncio.run(tell())


@click.command()
@click.argument("channel")
@click.option("--durable", is_flag=True, help="The channel is durable. Its listeners still get all events.")
@click.option("--count", type=click.IntRange(min=1), help="End after this number of events.")
@redis_url_option
def listen(channel: str, durable: bool, count: int | None, redis_url: str | None) -> None:  # noqa: FBT001  # click
    """Print each event of CHANNEL as it arrives, as a line of JSON, until Ctrl-C.

    The listeners of the channel still get all events.
    """

    async def hear() -> None:
        heard = 0
        if not durable:
            async with on_the_bus(redis_url, start="in project") as (_, node):
                if (reason := await meant_durable(node, channel)) is not None:
                    click.echo(visible(reason), err=True)
        async with events(redis_url, channel, durable=durable) as arriving:
            click.echo(visible(f"Listening to {channel}"), err=True)
            async for event in arriving:
                click.echo(_line(event))
                heard += 1
                if heard == count:
                    return

    with explained(ConfigurationError), suppress(KeyboardInterrupt):
        asyncio.run(hear())


def _is_all_wrong(error: BadRequest) -> bool:
    """Whether the whole payload has a wrong type, or part of it is missing."""
    found = cast("list[dict[str, str]]", error.details.get("errors") or [{}])
    return found[0].get("path") == "$" or found[0].get("problem", "").startswith("Missing")


def _line(body: bytes) -> bytes:
    """A reply or an event on one line; text that is no JSON, from other publishers, becomes a JSON string."""
    try:
        return visible_json(msgspec.json.format(body, indent=-1))
    except (ValueError, RecursionError):
        return visible_json(msgspec.json.encode(body.decode(errors="replace")))
