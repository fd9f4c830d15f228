"""Failures of the commands: one message on stderr, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

import click
from typing_extensions import override

from daebus.errors import DaebusError, ServiceError, render
from daebus.mistakes.render import wants_colour
from daebus.mistakes.terminal import visible_json
from daebus.payloads.codec import encode

__all__ = ["explained"]


class _MisuseError(click.ClickException):
    """Ends the command with a sentence; `click.UsageError` would put the usage before it."""

    exit_code = 2


class _FailedCallError(click.ClickException):
    """Ends the command with the error that a service replied, as JSON."""

    def __init__(self, error: ServiceError) -> None:
        fields = {"code": error.code, "message": str(error), "details": error.details}
        super().__init__(visible_json(encode(fields)).decode())

    @override
    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


@contextmanager
def explained(misuse: type[DaebusError]) -> Generator[None]:
    """End the command with any `DaebusError`. The exit code is 2 for a `misuse`, else 1."""
    try:
        yield
    except ServiceError as error:
        raise _FailedCallError(error) from error
    except DaebusError as error:
        end = _MisuseError if isinstance(error, misuse) else click.ClickException
        raise end(render(error, colour=wants_colour(sys.stderr))) from error
