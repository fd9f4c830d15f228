"""Sessions in real editors, recorded: ``python -m tests.lsp.sessions helix`` writes its pictures of docs/editors.md.

A handler is written with completion, a mistake is seen and its fix applied, and a jump leads to the provider. Needs the
editor, and tmux.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
from tests.lsp.sessions import emacs, helix, neovim
from tests.lsp.sessions.recording import Session
from tests.lsp.sessions.terminal import opened

PICTURES = Path(__file__).parents[3] / "docs" / "editors"
SESSIONS: Mapping[str, Session] = {
    "emacs": emacs.SESSION,
    "helix": helix.SESSION,
    "neovim": neovim.SESSION,
}


@click.command()
@click.argument("editor", type=click.Choice(sorted(SESSIONS)))
@click.option("--program", help="The program of the editor, if it is not in the path.")
def main(editor: str, program: str | None) -> None:
    """Record the session of an editor."""
    session = SESSIONS[editor]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        home = Path(name).resolve()
        folder = home / "users"
        session.prepare(folder)
        # The settings name the server as a user does.
        (folder / ".venv").symlink_to(sys.prefix)
        # No settings, plugins or history of whoever runs this.
        own = {f"XDG_{kind}_HOME": name for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
        own |= {"HOME": name, "PATH": os.environ["PATH"], "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        usual, *arguments = session.command
        with opened((shutil.which(program or usual) or usual, *arguments), folder, own) as terminal:
            PICTURES.mkdir(exist_ok=True)
            for number, (title, picture) in enumerate(session.record(terminal), 1):
                (PICTURES / f"{editor}_{number}_{title}.svg").write_text(picture)
                click.echo(f"{title}.svg")


if __name__ == "__main__":
    main()
