"""A connection for blocking commands, such as those of a reader. It reconnects when it is needed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from daebus.core.pauses import pauses
from daebus.errors import Unavailable

from .link import Link
from .redis_server import RedisServer
from .resp import Argument, CommandError, Reply
from .wire import Wire

__all__ = ["BlockingLink"]

_UNBLOCK_SECONDS = 0.005


class BlockingLink:
    """A separate connection for commands that block, such as XREADGROUP. One command at a time.

    It connects when a command needs it, with a growing pause after each failure.

    Args:
        server: The server.
        key: A key of the commands; on a cluster it selects the node.
        patience: Seconds without an answer after which the connection counts as dead; longer than the commands block.
            None: no limit.
    """

    def __init__(self, server: RedisServer, key: str, patience: float | None = None) -> None:
        self._server = server
        self._key = key
        self._patience = patience
        self._wire: Wire | None = None
        self._opened = 0.0
        self._pauses: Iterator[float] | None = None
        self._running = False
        self._interrupted = False
        self._closed = False
        self._reply: asyncio.Future[Reply] | None = None

    async def execute(self, *command: Argument) -> Reply:
        """The reply to a command. Raises `CommandError`, and `Unavailable` if the connection breaks.

        Cancelling it breaks the connection, so that the server delivers no entry to a reader that is gone.
        """
        if self._running:
            raise RuntimeError("A BlockingLink runs one command at a time.")
        self._running, self._interrupted = True, False
        wire = self._wire
        try:
            if wire is None or wire.broken is not None:
                wire = await self._connect()
            if self._interrupted:
                return None
            self._reply = wire.execute(command)
            reply = await self._reply
        except CommandError:
            self._pauses = None
            raise
        except (asyncio.CancelledError, Unavailable) as error:
            if wire is not None:
                wire.drop(str(error) or "its command was cancelled")
            if isinstance(error, Unavailable):
                self._pauses = self._pauses or pauses()
            raise
        finally:
            self._running, self._reply = False, None
        self._pauses = None
        return reply

    async def interrupt(self, via: Link) -> None:
        """Make a running `execute` return None, or the reply if it is on its way. Does nothing if none runs."""
        self._interrupted = True
        wire, reply = self._wire, self._reply
        while wire is not None and reply is not None and not reply.done():
            beside = via.beside(wire)
            try:
                if beside is None:
                    raise Unavailable("no other connection to its server")
                if await beside.execute("CLIENT", "UNBLOCK", wire.client_id) == 1:
                    return
            except (CommandError, Unavailable) as error:
                wire.drop(f"its command could not be interrupted ({error})")
                return
            await asyncio.sleep(_UNBLOCK_SECONDS)  # the command has not reached the server yet, or its reply us

    def doubt(self, lost_at: float) -> None:
        """Reconnect if the connection is older than the loss of another one, by `time.monotonic`.

        A running `execute` then raises `Unavailable`.
        """
        if self._wire is not None and self._opened < lost_at:
            self._wire.drop("another connection to the server was lost")

    async def close(self) -> None:
        """Close the connection. A running `execute` raises `Unavailable`, and so does each later one."""
        self._closed = True
        if self._wire is not None:
            await self._wire.close()

    async def _connect(self) -> Wire:
        if self._wire is not None:
            await self._wire.close()
        if self._pauses is not None:
            await asyncio.sleep(next(self._pauses))
        opened = time.monotonic()
        wire = self._wire = await Wire.open(self._server, key=self._key, patience=self._patience)
        self._opened = opened
        if self._closed:
            await wire.close()
        return wire
