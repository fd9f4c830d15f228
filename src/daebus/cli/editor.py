"""``daebus lsp``."""

from __future__ import annotations

import gc
import os
from importlib.util import find_spec

import click

__all__ = ["lsp"]


@click.command()
def lsp() -> None:
    """Serve an editor: the language server, on stdin and stdout.

    It shows the mistakes of "daebus check" while you type, completes services, and knows callers and listeners. Editors
    start it themselves; docs/editors.md says how.
    """
    if find_spec("pygls") is None:
        raise click.ClickException("The language server needs pygls: install daebus[lsp].")
    if not hasattr(os, "fork"):
        raise click.ClickException("The language server needs Linux or macOS; on Windows, run it within WSL.")
    from daebus.lsp.starting import begin  # noqa: PLC0415  # no other command needs it

    gc.disable()  # until the server is loaded: there is no garbage yet
    start = begin()
    # Meanwhile, the worker loads what it needs, and checks.
    from daebus.lsp.server import serve  # noqa: PLC0415  # only if it is installed

    serve(start)
