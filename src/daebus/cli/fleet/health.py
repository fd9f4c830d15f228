"""``daebus health``: whether the instances of a service are ready."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence

import click

from daebus.cli.failures import explained
from daebus.cli.shared import opened, redis_url_option, table
from daebus.connection.node import Node
from daebus.discovery.asking import ask
from daebus.errors import ConfigurationError
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.fleet import live_instances
from daebus.payloads.codec import encode
from daebus.protocol.discovery import HealthAnswer

__all__ = ["health"]

_COLUMNS = ("INSTANCE", "STATE", "READY", "HOST", "PID", "FAILING CHECKS")


@click.command()
@click.argument("service")
@click.option(
    "--here", is_flag=True, help="Only the instances on this machine, or in this container, by its host name."
)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each instance.")
@redis_url_option
def health(service: str, redis_url: str | None, *, here: bool, as_json: bool) -> None:
    """Show whether the instances of SERVICE are ready, as a readiness probe does.

    They are asked over Redis, so that services without HTTP can be asked, too. The exit code is 0 if there is an
    instance, and all of them are ready. An instance that has a lease and does not answer within 2 s is not ready.
    """

    async def asked() -> bool:
        async with opened(redis_url, service) as node:
            return await _show(node, service, here=here, as_json=as_json)

    with explained(ConfigurationError):
        sys.exit(0 if asyncio.run(asked()) else 1)


async def _show(node: Node, service: str, *, here: bool, as_json: bool) -> bool:
    answers, live = await asyncio.gather(
        ask(node, "health", HealthAnswer, service=service), live_instances(node, service)
    )
    silent = sorted(live - {one.instance for one in answers})
    if here:
        # Only its answer says where an instance runs, so one without an answer is nowhere.
        answers, silent = [one for one in answers if one.host == socket.gethostname()], []
    if as_json:
        for one in answers:
            click.echo(visible_json(encode(one)))
    elif answers or silent:
        click.echo(visible(_table(answers, silent), lines=True))
    if not answers and not silent:
        click.echo(f"No instance of {service!r} answers{' on this machine' if here else ''}.", err=True)
    if as_json and silent:
        click.echo(f"No answer from {', '.join(silent)}.", err=True)
    return bool(answers) and not silent and all(one.ready for one in answers)


def _table(answers: Sequence[HealthAnswer], silent: Sequence[str]) -> str:
    rows = [_row(one) for one in sorted(answers, key=lambda one: one.started)]
    rows += [(instance, "silent", "no", "?", "?", "no answer within 2 s") for instance in silent]
    return table([_COLUMNS, *rows])


def _row(one: HealthAnswer) -> tuple[str, ...]:
    failing = "; ".join(f"{check.name}: {check.reason}" for check in one.checks if not check.ok)
    return one.instance, one.state, "yes" if one.ready else "no", one.host, str(one.pid), failing or "-"
