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

    return asyncapi(made)


def _html(made: Assembly) -> Mapping[str, bytes]:
    from daebus.pages.files import page_files  # noqa: PLC0415  # only here it is needed

    return page_files(None if made.http is None else _openapi(made), _asyncapi(made))


def _typescript(made: Assembly) -> Mapping[str, bytes]:
    from daebus.export.contracts import contracts_of  # noqa: PLC0415  # it loads Litestar
    from daebus.export.routes import routes_of  # noqa: PLC0415
    from daebus.export.typescript.files import typescript  # noqa: PLC0415

    files = typescript(contracts_of(made), routes_of(made))
    return {name: text.encode() for name, text in files.items()}


def _python(made: Assembly) -> str:
    from daebus.export.contracts import contracts_of  # noqa: PLC0415  # it loads Litestar
    from daebus.export.python.files import documented, python  # noqa: PLC0415

    contracts = contracts_of(made)
    return python(contracts.service, documented(contracts))


def _contracts(made: Assembly) -> object:
    from daebus.export.compare.described import describe  # noqa: PLC0415  # likewise

    return describe(made)


_DOCUMENTS: Mapping[str, Callable[[Assembly], object]] = {
    "openapi": _openapi,
    "asyncapi": _asyncapi,
    "contracts": _contracts,
}
"""The formats that are one document in JSON."""

_TEXTS: Mapping[str, Callable[[Assembly], str]] = {"python": _python}
"""The formats that are one text."""

_FOLDERS: Mapping[str, Callable[[Assembly], Mapping[str, bytes]]] = {"html": _html, "typescript": _typescript}
"""The formats that are a folder of files."""


class _Options(msgspec.Struct, frozen=True):
    """The options of ``daebus export``."""

    form: str | None
    target: str | None
    diff: tuple[str, str] | None
    as_json: bool
    service: str | None
    output: Path | None
    without: Path | None


@click.command()
@click.argument("form", type=click.Choice([*_DOCUMENTS, *_FOLDERS, *_TEXTS]), metavar="FORMAT", required=False)
@click.argument("target", required=False)
@click.option("--diff", nargs=2, metavar="OLD NEW", help="Show the changes of the contracts from OLD to NEW instead.")
@click.option("--json", "as_json", is_flag=True, help="With --diff: as JSON, for tools.")
@click.option("--service", help="The name of the service; default: that of the app.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, default: stdout; or the folder.")
@click.option("--without", type=click.Path(path_type=Path), hidden=True)
def export(**given: object) -> None:
    """Write the contracts of TARGET for others.

    FORMAT is "openapi" (3.1, the HTTP routes) or "asyncapi" (3.0: actions, channels, WebSocket messages and rooms), a
    document in JSON; "html", a folder with pages of both; "typescript", a folder with a client for browsers and node;
    "python", a module with the contracts, for a team that does not share the code; or "contracts", a file to compare
    with later. Nothing is started, and no server is needed. TARGET is written as for "run".

    OLD and NEW are files of contracts, or targets; REF:TARGET, such as main:shop.app:app, is a target in a commit of
    git. The exit code is 1 if a change breaks those who have the contracts of OLD.
    """
    options = msgspec.convert(given, _Options)
    with explained(TargetError):
        if options.diff is not None:
            _compare(options, *options.diff)
        elif options.form is None or options.target is None:
            raise click.UsageError("name a FORMAT and a TARGET, or --diff OLD NEW.")
        else:
            _export(options, options.form, options.target)


def _compare(options: _Options, old: str, new: str) -> None:
    from .comparing import show_changes  # noqa: PLC0415  # only here it is needed

    if options.form is not None or options.output is not None:
        raise click.UsageError("--diff prints what has changed: leave out FORMAT, TARGET and -o.")
    show_changes(old, new, options.service, as_json=options.as_json)


def _export(options: _Options, form: str, target: str) -> None:
    if options.as_json:
        raise click.UsageError("--json is for --diff.")
    if form in _FOLDERS and options.output is None:
        raise click.UsageError(f"{form} is several files: name their folder, -o FOLDER.")
    made = examine(target, options.service).require()
    _refuse_foreign(options.without)
    if form in _FOLDERS and options.output is not None:
        _write_folder(options.output, _FOLDERS[form](made))
    elif form in _TEXTS:
        _write(options.output, _TEXTS[form](made))
    else:
        document = msgspec.json.encode(_DOCUMENTS[form](made))
        _write(options.output, msgspec.json.format(document, indent=2).decode() + "\n")


def _refuse_foreign(folder: Path | None) -> None:
    """Refuse modules that were imported from the working tree instead of a copy of an earlier commit."""
    from daebus.checking.contract_sources import foreign_modules  # noqa: PLC0415  # only here it is needed

    foreign = [] if folder is None else foreign_modules(folder)
    if foreign:
        remedy = "write the target as a path, such as src/shop/app.py:app"
        raise TargetError(f"{', '.join(foreign[:5])} would come from {folder}, not from the commit: {remedy}.")


def _write(output: Path | None, text: str) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        _put(output, text.encode())
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
