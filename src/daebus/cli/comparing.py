"""``daebus export --diff`` and ``daebus run --expect``: the changes of contracts as text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec

from daebus.app.assembly import Assembly
from daebus.checking.contract_sources import find_breaking, read_contracts
from daebus.checking.running_service import NotAnsweringError
from daebus.compare.changes import Change
from daebus.compare.comparing import compare
from daebus.errors import StartupError
from daebus.export.described import describe

__all__ = ["require_expected", "show_changes"]


class _Report(msgspec.Struct, frozen=True):
    """The form of ``--json``."""

    breaking: bool
    changes: Sequence[Change]


def show_changes(old: str, new: str, service: str | None, redis_url: str | None, *, as_json: bool) -> None:
    """Print the changes between two sources of contracts, and end with 1 if one of them is breaking."""
    changes = compare(read_contracts(old, service, redis_url), read_contracts(new, service, redis_url))
    breaking = [change for change in changes if change.is_breaking]
    if as_json:
        click.echo(msgspec.json.encode(_Report(bool(breaking), changes)))
    else:
        for change in changes:
            click.echo(_text(change))
        click.echo(_summary(len(breaking), len(changes)), err=True)
    sys.exit(1 if breaking else 0)


def require_expected(made: Assembly, expected: str, service: str | None = None, redis_url: str | None = None) -> None:
    """Refuse to start an app that breaks those who have the contracts of a source; see `find_breaking`.

    If the source is a service of which no instance runs, this is only told: else the service could never start again
    after all its instances have ended.

    Raises:
        TargetError: The source has no contracts.
        StartupError: With all breaking changes, or if the code of a commit cannot be loaded.
    """
    try:
        breaking = find_breaking(expected, describe(made), service, redis_url)
    except NotAnsweringError as error:
        click.echo(f"Starts without a comparison: {error}", err=True)
        return
    if breaking:
        changes = "\n".join(map(_text, breaking))
        raise StartupError(f"{made.service} would break those who have the contracts in {expected}:\n{changes}")


def _text(change: Change) -> str:
    if not change.is_breaking:
        return f"changed: {change.place}: {change.change}"
    return f"breaking: {change.place}: {change.change}\n  why: {change.why}\n  help: {change.remedy}"


def _summary(breaking: int, all_of_them: int) -> str:
    if not all_of_them:
        return "no changes"
    return f"{_several(all_of_them, 'change')}, {breaking or 'none'} of them breaking"


def _several(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"
