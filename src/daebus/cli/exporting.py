"""``daebus export``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click
import msgspec

from daebus.app.assembly import Assembly
from daebus.checking.examination import examine
from daebus.checking.targets import TargetError
from daebus.payloads.schemas import Json

from .failures import explained

__all__ = ["export"]


def _openapi(made: Assembly) -> Json:
    from daebus.checking.openapi import openapi  # noqa: PLC0415  # it loads Litestar

    return openapi(made)


def _asyncapi(made: Assembly) -> Json:
    from daebus.export.asyncapi import asyncapi  # noqa: PLC0415  # likewise
    from daebus.export.contracts import contracts_of  # noqa: PLC0415

    return asyncapi(contracts_of(made))


def _html(made: Assembly) -> Mapping[str, bytes]:
    from daebus.pages.files import page_files  # noqa: PLC0415  # only here it is needed

    return page_files(None if made.http is None else _openapi(made), _asyncapi(made))


def _typescript(made: Assembly) -> Mapping[str, bytes]:
    from daebus.export.contracts import contracts_of  # noqa: PLC0415  # it loads Litestar
    from daebus.export.routes import routes_of  # noqa: PLC0415
    from daebus.export.typescript.files import typescript  # noqa: PLC0415

    files = typescript(contracts_of(made), routes_of(made))
    return {name: text.encode() for name, text in files.items()}


_DOCUMENTS: Mapping[str, Callable[[Assembly], Json]] = {"openapi": _openapi, "asyncapi": _asyncapi}
"""The formats that are one document in JSON."""

_FOLDERS: Mapping[str, Callable[[Assembly], Mapping[str, bytes]]] = {"html": _html, "typescript": _typescript}
"""The formats that are a folder of files."""


@click.command()
@click.argument("form", type=click.Choice([*_DOCUMENTS, *_FOLDERS]), metavar="FORMAT")
@click.argument("target")
@click.option("--service", help="The name of the service; default: that of the app.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, default: stdout; or the folder.")
def export(form: str, target: str, service: str | None, output: Path | None) -> None:
    """Write the contracts of TARGET for others.

    FORMAT is "openapi" (3.1, the HTTP routes) or "asyncapi" (3.0: actions, channels, WebSocket messages and rooms), a
    document in JSON; "html", a folder with pages of both; or "typescript", a folder with a client for browsers and
    node. Nothing is started, and no server is needed. TARGET is written as for "run".
    """
    if form in _FOLDERS and output is None:
        raise click.UsageError(f"{form} is several files: name their folder, -o FOLDER.")
    with explained(TargetError):
        made = examine(target, service).require()
        if form in _FOLDERS and output is not None:
            _write_folder(output, _FOLDERS[form](made))
        else:
            _write(output, _DOCUMENTS[form](made))


def _write(output: Path | None, document: Json) -> None:
    text = msgspec.json.format(msgspec.json.encode(document), indent=2)
    if output is None:
        click.echo(text)
    else:
        _put(output, text + b"\n")
        click.echo(f"wrote {output}", err=True)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        _put(folder / name, content)
    click.echo(f"wrote {len(files)} files to {folder}", err=True)


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
