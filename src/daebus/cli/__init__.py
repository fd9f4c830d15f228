"""The ``daebus`` command."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module

import click
from typing_extensions import override

from daebus.telemetry.plain import PlainFormatter

__all__ = ["main"]

_COMMANDS: Mapping[str, str] = {
    "run": "serving",
    "check": "serving",
    "call": "asking",
    "send": "asking",
    "publish": "asking",
    "listen": "asking",
    "console": "fleet.console",
    "dead": "dead",
    "export": "exporting",
    "health": "fleet.health",
    "listeners": "listeners",
    "lsp": "editor",
    "mcp": "assistants",
    "new": "project.new",
    "rooms": "rooms",
    "schedules": "schedules.commands",
    "services": "fleet.services",
    "top": "fleet.top",
}
"""The commands, and the module of each, which is loaded when it is used."""


class _Commands(click.Group):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: object = getattr(import_module(f"{__name__}.{_COMMANDS[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101  # by the table
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="daebus", message="%(prog)s %(version)s")
def main() -> None:
    """Run services, check them, and talk to them.

    Results go to stdout, everything else to stderr. Exit codes: 0 all went well, 1 it failed, 2 wrong usage.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PlainFormatter())
