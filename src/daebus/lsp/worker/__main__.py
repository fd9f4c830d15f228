"""Start of the worker: ``python -m daebus.lsp.worker``; requests come in on stdin, outcomes go out on stdout."""

from __future__ import annotations

import os

from .checking import check
from .nursery import Nursery

if __name__ == "__main__":
    requests, outcomes = os.dup(0), os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    Nursery(requests, outcomes, check).run()
