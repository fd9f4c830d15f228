"""A real server whose clock tests can set.

What runs on the server reads its clock in one place, the command TIME. On their way to the server, TIME and the scripts
are rewritten, so that they see the clock of the test: the real one and an offset, which is a key on the server. So a
command sees the clock of the time when it is executed, however long it has waited. Everything else is real. What the
server itself does by its clock is not moved: the ids of new entries of streams, the expiry of keys, and timeouts.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import hiredis

from daebus.connection.resp import pack

from .engines import Engine, Proxy, open_proxy

__all__ = ["OFFSET", "Clock", "ClockedScripts", "Rewriter", "open_clock"]

OFFSET = "tests:clock"
"""The key of the offset in ms. It is gone after FLUSHALL, as the clock is right then."""

_TIME = """(function()
    local clock = redis.call('TIME')
    local now = clock[1] * 1000000 + clock[2] + 1000 * (redis.call('GET', 'tests:clock') or 0)
    return {string.format('%.0f', math.floor(now / 1000000)), string.format('%.0f', now % 1000000)}
end)()"""
_CALL = b"redis.call('TIME')"

Command = Sequence[bytes]


class ClockedScripts:
    """Rewrites commands so that they see the clock of the test. Use one for each connection."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def rewrite(self, command: Command) -> Command:
        """The command to send instead; the reply has the same form."""
        match command[0].upper():
            case b"TIME":
                return (b"EVAL", f"return {_TIME}".encode(), b"0")
            case b"EVAL":
                text = command[1].replace(_CALL, _TIME.encode())
                self._known[_sha(command[1])] = _sha(text)
                return (command[0], text, *command[2:])
            case b"EVALSHA":  # the server must not find the text that others have sent: then it is sent here, too
                return (command[0], self._known.get(command[1], b"f" * 40), *command[2:])
            case _:
                return command


def _sha(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


class Rewriter:
    """Rewrites the commands in the bytes that a client sends on one connection."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._scripts = ClockedScripts()

    def __call__(self, data: bytes) -> bytes:
        """The bytes to send to the server: the commands that are complete by now."""
        self._reader.feed(data)
        commands: list[bytes] = []
        while isinstance(command := self._reader.gets(), list):
            commands.append(pack(tuple(self._scripts.rewrite(cast("Command", command)))))
        return b"".join(commands)


class Clock:
    """The clock of a server, as its clients behind the proxy see it.

    Attributes:
        url: The address for clients that see the clock of the test.
        proxy: What stands between.
    """

    def __init__(self, engine: Engine, proxy: Proxy) -> None:
        self.proxy = proxy
        self.url = f"redis://127.0.0.1:{proxy.port}/0"
        self._engine = engine

    def step(self, seconds: float) -> None:
        """Set the clock forward, or back."""
        assert self._engine.ask(f"INCRBY {OFFSET} {round(seconds * 1000)}").startswith(b":")


@asynccontextmanager
async def open_clock(engine: Engine) -> AsyncGenerator[Clock]:
    """A proxy in front of a server; who connects to `Clock.url` sees a clock that can be set."""
    async with open_proxy(engine.port, rewriting=Rewriter) as proxy:
        yield Clock(engine, proxy)
