"""``daebus console``: the fleet in the browser."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from daebus.checking.description import describe
from daebus.checking.examination import examine
from daebus.cli.failures import explained
from daebus.cli.shared import opened, redis_url_option
from daebus.errors import ConfigurationError
from daebus.mistakes.terminal import visible
from daebus.payloads.codec import encode
from daebus.telemetry.logs import make_logger

if TYPE_CHECKING:
    from daebus.console.console import Console

__all__ = ["console"]

_TOKEN = "DAEBUS_CONSOLE_TOKEN"  # noqa: S105  # of daebus.console.access, which loads Litestar


@click.command()
@click.argument("target", required=False)
@click.option("--service", help="Name of the service of TARGET; default: the one that the app sets.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8300, show_default=True, help="Port; 0: any free port.")
@click.option("--token", help=f"What users have to show, at least 16 characters; default: {_TOKEN}, else none.")
@click.option("--read-only", is_flag=True, help="Show everything, and refuse to call, replay or drop.")
@redis_url_option
def console(
    target: str | None,
    service: str | None,
    host: str,
    port: int,
    token: str | None,
    redis_url: str | None,
    *,
    read_only: bool,
) -> None:
    """Serve a web page that shows the services of a server, until Ctrl-C.

    It shows services, instances and handlers live, calls actions, finds, corrects and replays dead letters, and follows
    channels. With TARGET (module:app, as for "check") it also shows how the handlers of that app are wired.
    """
    from daebus.console.access import Access, require_loopback  # noqa: PLC0415  # it loads Litestar
    from daebus.console.console import Console  # noqa: PLC0415

    with explained(ConfigurationError), suppress(KeyboardInterrupt):
        shown = token or os.environ.get(_TOKEN) or None
        require_loopback(host, shown)
        made = Console(
            Access(shown, read_only=read_only),
            None if target is None else encode(describe(examine(target, service).require())),
        )
        asyncio.run(_serve(made, host, port, redis_url))


async def _serve(made: Console, host: str, port: int, redis_url: str | None) -> None:
    from daebus.console.serving import serving_console  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        opened(redis_url, None) as node,
        serving_console(made, node, host=host, port=port, logger=make_logger()) as bound,
    ):
        shown = f"[{host}]" if ":" in host else host
        click.echo(visible(f"The console is at http://{shown}:{bound}/"), err=True)
        await stop.wait()
