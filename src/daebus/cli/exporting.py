"""``daebus export``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from daebus.app.documents import FOLDERS, FORMATS, exported
from daebus.checking.examination import examine
from daebus.checking.targets import TargetError
from daebus.protocol.discovery import WHOLE

from .failures import explained
from .shared import redis_url_option

__all__ = ["export"]


class _Options(msgspec.Struct, frozen=True):
    """The options of ``daebus export``."""

    form: str | None
    target: str | None
    diff: tuple[str, str] | None
    as_json: bool
    service: str | None
    output: Path | None
    without: Path | None
    redis_url: str | None


@click.command()
@click.argument("form", type=click.Choice(FORMATS), metavar="FORMAT", required=False)
@click.argument("target", required=False)
@click.option("--diff", nargs=2, metavar="OLD NEW", help="Show the changes of the contracts from OLD to NEW instead.")
@click.option("--json", "as_json", is_flag=True, help="With --diff: as JSON, for tools.")
@click.option("--service", help="The name of the service, default: that of the app; without TARGET: one that runs.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, default: stdout; or the folder.")
@click.option("--without", type=click.Path(path_type=Path), hidden=True)
@redis_url_option
def export(**given: object) -> None:
    """Write the contracts of TARGET, or of a service that runs, for others.

    FORMAT is "openapi" (3.1, the HTTP routes) or "asyncapi" (3.0: actions, channels, WebSocket messages and rooms), a
    document in JSON; "html", a folder with pages of both; "typescript", a folder with a client for browsers and node;
    "python", a module with the contracts, for a team that does not share the code; or "contracts", a file to compare
    with later. TARGET is written as for "run": nothing is started, and no server is needed. Without TARGET, --service
    NAME asks an instance of this service over Redis.

    OLD and NEW are files of contracts, or targets; REF:TARGET, such as main:shop.app:app, is a target in a commit of
    git; service://NAME is a service that runs. The exit code is 1 if a change breaks those who have the contracts of
    OLD.
    """
    options = msgspec.convert(given, _Options)
    with explained(TargetError):
        if options.diff is not None:
            _compare(options, *options.diff)
        elif options.form is None or (options.target is None and options.service is None):
            raise click.UsageError("name a FORMAT and a TARGET, or --diff OLD NEW.")
        else:
            _export(options, options.form)


def _compare(options: _Options, old: str, new: str) -> None:
    from .comparing import show_changes  # noqa: PLC0415  # only here it is needed

    if options.form is not None or options.output is not None:
        raise click.UsageError("--diff prints what has changed: leave out FORMAT, TARGET and -o.")
    show_changes(old, new, options.service, options.redis_url, as_json=options.as_json)


def _export(options: _Options, form: str) -> None:
    if options.as_json:
        raise click.UsageError("--json is for --diff.")
    if form in FOLDERS and options.output is None:
        raise click.UsageError(f"{form} is several files: name their folder, -o FOLDER.")
    _write(options.output, _files(options, form))


def _files(options: _Options, form: str) -> Mapping[str, bytes]:
    if options.target is None:
        from daebus.checking.running_service import exported_by  # noqa: PLC0415  # only here a server is needed

        assert options.service is not None  # noqa: S101  # one of the two is given
        return exported_by(options.service, form, options.redis_url)
    made = examine(options.target, options.service).require()
    _refuse_foreign(options.without)
    return exported(made, form)


def _refuse_foreign(folder: Path | None) -> None:
    """Refuse modules that were imported from the working tree instead of a copy of an earlier commit."""
    from daebus.checking.contract_sources import foreign_modules  # noqa: PLC0415  # only here it is needed

    foreign = [] if folder is None else foreign_modules(folder)
    if foreign:
        remedy = "write the target as a path, such as src/shop/app.py:app"
        raise TargetError(f"{', '.join(foreign[:5])} would come from {folder}, not from the commit: {remedy}.")


def _write(output: Path | None, files: Mapping[str, bytes]) -> None:
    whole = files.get(WHOLE)
    if output is None:
        click.echo(whole, nl=False)
    elif whole is not None:
        _put(output, whole)
        click.echo(f"wrote {output}", err=True)
    else:
        for name, content in files.items():
            _put(output / name, content)
        click.echo(f"wrote {len(files)} files to {output}", err=True)


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
