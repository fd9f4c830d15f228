"""``daebus export``."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from daebus.checking.examination import examine
from daebus.checking.targets import TargetError

from .failures import explained

__all__ = ["export"]


@click.command()
@click.argument("form", type=click.Choice(["openapi", "asyncapi"]), metavar="FORMAT")
@click.argument("target")
@click.option("--service", help="The name of the service; default: that of the app.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: stdout.")
def export(form: str, target: str, service: str | None, output: Path | None) -> None:
    """Write the contracts of TARGET as a document in JSON.

    FORMAT is "openapi" (3.1, the HTTP routes) or "asyncapi" (3.0: actions, channels, WebSocket messages and rooms).
    Nothing is started, and no server is needed. TARGET is written as for "run".
    """
    with explained(TargetError):
        made = examine(target, service).require()
        if form == "openapi":
            from daebus.checking.openapi import openapi  # noqa: PLC0415  # it loads Litestar

            document = openapi(made)
        else:
            from daebus.export.asyncapi import asyncapi  # noqa: PLC0415  # likewise
            from daebus.export.contracts import contracts_of  # noqa: PLC0415

            document = asyncapi(contracts_of(made))
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    if output is None:
        click.echo(text)
    else:
        output.write_bytes(text + b"\n")
        click.echo(f"wrote {output}", err=True)
