"""``daebus services``: who is there, and how they are doing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress

import click

from daebus.cli.failures import explained
from daebus.cli.shared import opened, redis_url_option, table, time_of
from daebus.connection.node import Node
from daebus.errors import ConfigurationError, Unavailable
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.fleet import HandlerReport, InstanceReport, ServiceReport, service_reports
from daebus.payloads.codec import encode

from .words import age, duration, size, span

__all__ = ["services"]

_SERVICES = ("SERVICE", "INSTANCES", "VERSION", "MESSAGES", "ERRORS", "IN FLIGHT", "QUEUED", "OLDEST", "DEAD")
_INSTANCES = ("INSTANCE", "STATE", "VERSION", "HOST", "PID", "UP", "CPU", "MEMORY", "LAG", "SOCKETS")
_HANDLERS = ("HANDLER", "MESSAGES", "ERRORS", "IN FLIGHT", "P50", "P95", "P99", "QUEUED", "OLDEST")
_INTERVAL = 1.0
_MOST_ERRORS = 5


@click.command()
@click.argument("service", required=False)
@click.option("--watch", is_flag=True, help="Show it again each second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each service.")
@redis_url_option
def services(service: str | None, redis_url: str | None, *, watch: bool, as_json: bool) -> None:
    """Show the services that run, or have run within a week.

    With SERVICE, its instances and its handlers. Messages, errors and durations are counted since the start of each
    instance. An instance is "silent" if its lease has not expired and it has not answered within a second: it is
    blocked, frozen or cut off, or it was killed less than a lease ago. The exit code is 1 if SERVICE has never run.
    """

    async def show() -> None:
        async with opened(redis_url, service) as node:
            if not watch:
                _print(node, await service_reports(node, service), service, as_json=as_json)
            while watch:
                await _print_again(node, service, as_json=as_json)
                await asyncio.sleep(_INTERVAL)

    with explained(ConfigurationError), suppress(KeyboardInterrupt):
        asyncio.run(show())


async def _print_again(node: Node, service: str | None, *, as_json: bool) -> None:
    try:
        reports = await service_reports(node, service)
    except Unavailable as error:  # an outage ends
        click.echo(visible(str(error)), err=True)
        return
    if not as_json:
        click.clear()
    _print(node, reports, service, as_json=as_json)


def _print(node: Node, reports: Sequence[ServiceReport], service: str | None, *, as_json: bool) -> None:
    if as_json:
        for report in reports:
            click.echo(visible_json(encode(report)))
    elif service is None:
        rows = [_service(report, node.clock.now()) for report in reports]
        click.echo(visible(table([_SERVICES, *rows]), lines=True))
        if not rows:
            click.echo("No service has run here within a week.", err=True)
    else:
        for report in reports:
            click.echo(visible("\n".join(_details(report, node.clock.now())), lines=True))


def _service(report: ServiceReport, now: int) -> tuple[str, ...]:
    handlers = report.handlers
    queues = [one.queue for one in handlers if one.queue is not None]
    oldest = min((one.oldest for one in queues if one.oldest is not None), default=None)
    return (
        report.service,
        str(len(report.instances)) if report.instances else f"0, since {age(report.seen, now)}",
        ", ".join(report.versions) or "-",
        str(sum(one.messages for one in handlers)),
        str(sum(sum(one.errors.values()) for one in handlers)),
        str(sum(one.in_flight for one in handlers)),
        str(sum(one.size for one in queues)),
        "-" if oldest is None else age(oldest, now),
        str(report.dead),
    )


def _details(report: ServiceReport, now: int) -> Iterator[str]:
    yield table([_INSTANCES, *(_instance(one, now) for one in report.instances)])
    if not report.instances:
        yield f"no instance runs, since {age(report.seen, now)}"
    yield ""
    yield table([_HANDLERS, *(_handler(one, now) for one in report.handlers)])
    last = [
        (handler.title, handler.last_error)
        for one in report.instances
        if one.stats is not None
        for handler in one.stats.handlers
        if handler.last_error is not None
    ]
    if last:
        yield ""
        yield "last errors"
        newest = sorted(last, key=lambda pair: pair[1].at, reverse=True)[:_MOST_ERRORS]
        for title, error in newest:
            yield f"  {time_of(error.at)}  {title}  {error.code}: {error.message}  (request {error.request_id})"


def _instance(one: InstanceReport, now: int) -> tuple[str, ...]:
    stats = one.stats
    if stats is None:
        return (one.instance, one.state, *["?"] * (len(_INSTANCES) - 2))
    return (
        one.instance,
        one.state,
        stats.version or "-",
        stats.host,
        str(stats.pid),
        age(stats.started, now),
        span(stats.cpu),
        size(stats.memory),
        duration(stats.lag),
        "-" if stats.sockets is None else str(stats.sockets),
    )


def _handler(one: HandlerReport, now: int) -> tuple[str, ...]:
    queue = one.queue
    queued, oldest = "-", None
    if queue is not None:
        queued = f"{queue.size} or more" if queue.waiting is None else str(queue.size)
        oldest = queue.oldest
    return (
        one.title,
        str(one.messages),
        ", ".join(f"{count} {code}" for code, count in sorted(one.errors.items())) or "0",
        str(one.in_flight),
        *map(duration, (one.p50, one.p95, one.p99)),
        queued,
        "-" if oldest is None else age(oldest, now),
    )
