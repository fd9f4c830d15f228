"""Lua that runs on the server, in one atomic step."""

from __future__ import annotations

import hashlib

__all__ = ["EVEN_WHEN_FULL", "NOW", "Script"]

EVEN_WHEN_FULL = "#!lua flags=allow-oom\n"
"""Begins scripts that also run where the server has no memory left: else nothing could be worked off to make room."""

NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""
"""Gives a script `now`, the server's time in ms, which no two replicas read differently."""


class Script:
    """A Lua script, run by `Link.script`.

    Attributes:
        text: The source.
        sha: What EVALSHA calls it.
    """

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text: str = text
        self.sha: str = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
