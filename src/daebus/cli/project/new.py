"""``daebus new``."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click

from daebus.errors import ConfigurationError

__all__ = ["new"]


@click.command()
@click.argument("name", required=False)
@click.option("--http/--no-http", default=None, help="HTTP routes; default: yes.")
@click.option("--socket/--no-socket", default=None, help="WebSocket messages; default: no.")
@click.option("--database", type=click.Choice(["none", "sqlite", "postgres"]), help="By SQLAlchemy; default: none.")
@click.option("--by-feature", "layout", flag_value="by-feature", help="A folder for each feature; the default.")
@click.option("--by-protocol", "layout", flag_value="by-protocol", help="A module for actions, one for routes, …")
@click.option("--update", "is_update", is_flag=True, help="Merge what this version writes into this project.")
def new(name: str | None, *, is_update: bool, **options: str | bool | None) -> None:
    """Write a new project: service, tests, type checking, CI, container image.

    NAME is the name of the service, and of the folder. Without anything installed: "uvx --from 'daebus[new]' daebus new
    NAME".
    """
    if (name is None) is not is_update:
        raise click.UsageError("Name the new project, or give --update in the folder of one.")
    _require_copier()
    answers = {key: value for key, value in options.items() if value is not None}
    try:
        if name is None:
            _update(answers)
        else:
            _create(name, answers)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def _create(name: str, answers: Mapping[str, object]) -> None:
    import msgspec  # noqa: PLC0415  # after the check of the extra, as the next ones

    from daebus.scaffold.creating import create  # noqa: PLC0415
    from daebus.scaffold.rendering import Answers  # noqa: PLC0415

    folder = Path(name)
    has_commit = create(msgspec.convert({"name": folder.name, **answers}, Answers), folder)
    click.echo(f"{folder}/ is there{', with a first commit' if has_commit else ''}. Next:", err=True)
    click.echo(f"  cd {folder} && cat README.md", err=True)


def _update(answers: Mapping[str, object]) -> None:
    from daebus.scaffold.updating import update  # noqa: PLC0415

    is_changed = update(Path(), answers)
    click.echo("Merged: see `git show --stat`." if is_changed else "Nothing has changed.", err=True)


def _require_copier() -> None:
    """Exit with an error if copier is missing; with uv, start the command again with it."""
    if find_spec("copier") is not None:
        return
    package = f"daebus[new]=={version('daebus')}"
    if (uv := shutil.which("uv")) is not None:
        os.execv(uv, [uv, "tool", "run", "--from", package, "daebus", *sys.argv[1:]])  # noqa: S606  # no shell
    raise click.ClickException("`daebus new` needs copier: install daebus[new].")
