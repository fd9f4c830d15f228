"""Start of the worker: ``python -m daebus.lsp.worker``; requests come in on stdin, outcomes go out on stdout."""

from __future__ import annotations

import gc
import os

# Before all that is loaded. A collection would also copy the memory that each check shares with this process, and a
# check is over before there is much to collect.
gc.disable()

from daebus.checking.inspecting import inspect_app  # noqa: E402

from .nursery import Nursery  # noqa: E402

# What an app with HTTP and WebSockets loads when its handlers are registered; the server starts in the meantime.
_AHEAD = ("litestar", "daebus.http.application", "daebus.websocket.hub")


def main() -> None:
    """Work until stdin ends. What the user's code prints goes nowhere."""
    requests, outcomes = os.dup(0), os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    Nursery(requests, outcomes, inspect_app, _AHEAD).run()


if __name__ == "__main__":
    main()
