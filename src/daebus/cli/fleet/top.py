"""``daebus top``: the fleet live in the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import click
from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from daebus.cli.failures import explained
from daebus.cli.shared import opened, redis_url_option
from daebus.connection.node import Node
from daebus.errors import ConfigurationError, Unavailable
from daebus.mistakes.terminal import visible
from daebus.operations.fleet import ServiceReport, service_reports
from daebus.operations.rates import HandlerRate, InstanceRate, handler_rates, instance_rates

from .words import age, duration, rate, size

__all__ = ["top"]

_STATES = {"running": "green", "starting": "yellow", "stopping": "yellow", "silent": "bold red"}
_INSTANCES = ("SERVICE", "INSTANCE", "STATE", "VERSION", "UP", "CPU", "MEMORY", "LAG", "SOCKETS", "MESSAGES")
_HANDLERS = ("SERVICE", "HANDLER", "MESSAGES", "ERRORS", "IN FLIGHT", "P50", "P95", "P99", "QUEUED", "OLDEST")
_SLOW_LAG = 0.1
_OLD_MS = 10_000
_BUSY = 0.8
_ORDERS: dict[str, Callable[[HandlerRate], float]] = {
    "messages": lambda one: one.messages,
    "errors": lambda one: one.errors,
    "p95": lambda one: one.p95 or 0.0,
    "queued": lambda one: 0 if one.queue is None else one.queue.size,
}


@click.command()
@click.argument("service", required=False)
@click.option("--interval", type=click.FloatRange(min=0.2, max=60), default=1.0, show_default=True, help="In seconds.")
@click.option(
    "--sort", type=click.Choice([*_ORDERS]), default="messages", show_default=True, help="The order of the handlers."
)
@redis_url_option
def top(service: str | None, interval: float, sort: str, redis_url: str | None) -> None:
    """Show what runs now, live, until Ctrl-C: instances with CPU and memory, handlers with rates and durations.

    With SERVICE, only this service. Rates and durations are those of the last interval. Use "services --json" for
    programs.
    """
    console = Console()
    if not console.is_terminal:
        raise click.UsageError("top needs a terminal; use `daebus services --json` in programs.")

    async def show() -> None:
        async with opened(redis_url, service) as node:
            await _watch(node, service, interval, sort, console)

    with explained(ConfigurationError), suppress(KeyboardInterrupt):
        asyncio.run(show())


async def _watch(node: Node, service: str | None, interval: float, sort: str, console: Console) -> None:
    before = await service_reports(node, service)
    shown: ConsoleRenderable = Text("measuring…")
    with Live(shown, console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(interval)
            try:
                now = await service_reports(node, service)
                shown, before = _screen(before, now, sort, node.clock.now(), console.height), now
            except Unavailable as error:
                shown = Text(visible(str(error)), style="bold red")
            live.update(shown, refresh=True)


def _screen(
    before: Sequence[ServiceReport], now: Sequence[ServiceReport], sort: str, at: int, height: int
) -> ConsoleRenderable:
    instances = list(instance_rates(before, now))
    handlers = sorted(handler_rates(before, now), key=lambda one: (-_ORDERS[sort](one), one.service, one.title))
    most = max(3, height // 3)
    room = max(3, height - min(len(instances), most) - 6)
    return Group(
        _head(now, instances, handlers),
        Text(),
        _table(_INSTANCES, [_instance(one, at) for one in instances], most, left=4),
        Text(),
        _table(_HANDLERS, [_handler(one, at) for one in handlers], room, left=2),
    )


def _head(now: Sequence[ServiceReport], instances: Sequence[InstanceRate], handlers: Sequence[HandlerRate]) -> Text:
    running = sum(1 for report in now if report.instances)
    down = [report.service for report in now if not report.instances]
    head = Text.assemble(
        (f"services: {running}   instances: {len(instances)}", "bold"),
        f"   messages: {rate(sum(one.messages for one in handlers))}",
        f"   errors: {rate(sum(one.errors for one in handlers))}",
        f"   dead letters: {sum(report.dead for report in now)}",
    )
    if down:
        head.append(f"   no instance: {visible(', '.join(down))}", style="red")
    return head


def _table(head: Sequence[str], rows: Sequence[Sequence[Text]], most: int, *, left: int) -> Table:
    """A table of at most `most` rows; the first `left` columns are texts, the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number < left else "right", no_wrap=True)
    for row in rows[:most]:
        table.add_row(*row)
    if len(rows) > most:
        table.add_row(Text(f"… {len(rows) - most} more", style="dim"))
    return table


def _instance(one: InstanceRate, at: int) -> Sequence[Text]:
    first = (_text(one.service), _text(one.instance), _text(one.state, _STATES.get(one.state, "")))
    stats = one.stats
    if stats is None:
        return first
    is_slow = stats.lag is not None and stats.lag > _SLOW_LAG
    return (
        *first,
        _text(stats.version or "-"),
        _text(age(stats.started, at)),
        _text(f"{one.cpu:.0%}", "bold" if one.cpu > _BUSY else ""),
        _text(size(stats.memory)),
        _text(duration(stats.lag), "red" if is_slow else ""),
        _text("-" if stats.sockets is None else str(stats.sockets)),
        _text(rate(one.messages)),
    )


def _handler(one: HandlerRate, at: int) -> Sequence[Text]:
    queue = one.queue
    queued = "-" if queue is None else str(queue.size)
    oldest = None if queue is None else queue.oldest
    is_old = oldest is not None and at - oldest > _OLD_MS
    return (
        _text(one.service),
        _text(one.title),
        _text(rate(one.messages)),
        _text(rate(one.errors), "red" if one.errors else ""),
        _text(str(one.in_flight)),
        *(_text(duration(value)) for value in (one.p50, one.p95, one.p99)),
        _text(queued),
        _text("-" if oldest is None else age(oldest, at), "red" if is_old else ""),
    )


def _text(text: str, style: str = "") -> Text:
    return Text(visible(text), style=style)
