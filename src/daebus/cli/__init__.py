"""The ``daebus`` command."""

from __future__ import annotations

import logging

import click

from daebus.telemetry.consoles import PlainFormatter

from .asking import call, listen, publish, send
from .dead import dead
from .listeners import listeners
from .serving import check, run

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="daebus", message="%(prog)s %(version)s")
def main() -> None:
    """Run services, check them, and talk to them.

    Results go to stdout, everything else to stderr. Exit codes: 0 all went well, 1 it failed, 2 wrong usage.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PlainFormatter())


for _command in (run, check, call, send, publish, listen, dead, listeners):
    main.add_command(_command)
