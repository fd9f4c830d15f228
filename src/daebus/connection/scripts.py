"""Lua that runs on the server, in one atomic step."""

from __future__ import annotations

import hashlib

__all__ = ["CLAMP", "EVEN_WHEN_FULL", "LEASE_OF", "NOW", "Script"]

EVEN_WHEN_FULL = "#!lua flags=allow-oom\n"
"""The start of scripts that also run if the server's memory is full: else entries could not be settled to free it."""

NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""
"""Sets `now` in a script: the server's time in ms, the same for all replicas."""

CLAMP = """
local function clamp(key)
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'LIMIT', 0, 1000)) do
        redis.call('ZADD', key, now, member)
    end
end
"""
"""Defines `clamp` in a script that begins with `NOW`: heartbeats of the future become heartbeats of now.

They are from before the server's clock was set back. An instance that died since would else count as live until the
clock is there again.
"""

LEASE_OF = """
local function lease_of(name, default)
    return tonumber(string.match(name, '%-(%d+)$') or default)
end
"""
"""Defines `lease_of` in a script: the lease of an instance in ms, with which its id ends; else a default."""


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
