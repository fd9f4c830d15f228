"""Connections that come back: one shared by all commands of a process, and one for each blocking reader."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress

from daebus.core.errors import DaebusError, Unavailable
from daebus.transports.resp import Argument, CommandError, Reply, is_missing_script
from daebus.transports.scripts import Script
from daebus.transports.topology import RedisServer
from daebus.transports.wire import PATIENCE, Answered, Wire

__all__ = ["BlockingLink", "CommandLink"]

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_STEADY_SECONDS = 5.0  # a connection that breaks sooner does not begin the pauses anew
_UNBLOCK_SECONDS = 0.005

_log = logging.getLogger(__name__)


def _pauses() -> Iterator[float]:
    """Seconds to wait before each attempt to connect again: longer and longer, and no two processes alike."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # spread, not secrecy
        pause = min(_LONGEST_PAUSE, pause * 2)


class CommandLink:
    """One connection for all the commands of a process. When it breaks, another is made, after a growing pause.

    Attributes:
        lost_at: When it broke last, by `time.monotonic`.
        sharded: Whether channels that begin with ``daebus:`` are sharded ones.
    """

    sharded: bool = False

    def __init__(
        self,
        server: RedisServer,
        *,
        on_connect: Callable[[], Awaitable[None] | None] | None = None,
        divert: Callable[[Reply], bool] | None = None,
        patience: float = PATIENCE,
        ping: float = 10.0,
    ) -> None:
        """Name the server; nothing is opened.

        Args:
            server: Where to.
            on_connect: Called, and awaited, after each connect, the first one too; may issue commands. Where it
                fails the connection is given up, and made again.
            divert: See `Wire.open`.
            patience: Seconds of silence, while replies are owed, after which the connection counts as dead.
            ping: Seconds between the questions that tell whether an idle connection is alive.
        """
        self._server = server
        self._on_connect = on_connect
        self._divert = divert
        self._patience = patience
        self._ping = ping
        self._wire: Wire | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = False
        self.lost_at: float = 0.0

    @property
    def address(self) -> str:
        """The server, for messages."""
        return self._server.address

    @property
    def connected(self) -> bool:
        """Whether a command that is issued now has a connection to go to, which was made ready."""
        return self._ready and self._wire is not None and self._wire.broken is None

    def reaches(self, key: str) -> bool:
        """The same for commands on a key or a channel."""
        return self.connected

    async def start(self) -> None:
        """Connect, and keep connected from now on. Raises `Unavailable` where the first attempt fails."""
        wire = await self._connect()
        self._keeper = asyncio.create_task(self._keep(wire), name=f"connection to {self._server.address}")

    async def close(self) -> None:
        """Send what was issued and close. What is not answered by then fails with `Unavailable`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        if self._wire is not None:
            await self._wire.close()

    def execute(self, *command: Argument) -> asyncio.Future[Reply]:
        """Issue a command, in one write with all others of this tick of the event loop.

        The future fails with `CommandError` where the server refuses the command, and with `Unavailable` where there
        is no connection or where it breaks; the command may have run then. Cancelling it does not recall the command.
        """
        if self._wire is not None:
            return self._wire.execute(command)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        future.set_exception(self._not_open())
        return future

    def issue(self, command: tuple[Argument, ...], answered: Answered) -> None:
        """Issue a command as `execute` does, without a future: its reply or its failure is handed to `answered`."""
        if self._wire is not None:
            self._wire.issue(command, answered)
        else:
            answered(self._not_open())

    def _not_open(self) -> Unavailable:
        return Unavailable(f"The connection to the server at {self._server.address} is not open.")

    async def script(self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Reply:
        """Run `script`, sending its text only where the server does not know it. Raises as `execute` does."""
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        try:
            return await self.execute(*command)
        except CommandError as error:
            if not is_missing_script(error):
                raise
        return await self.execute("EVAL", script.text, len(keys), *keys, *args)

    def beside(self, wire: Wire) -> CommandLink | None:
        """The link to the same server as `wire`; None where there is none."""
        return self if self._wire is not None and self._wire.address == wire.address else None

    async def drain(self) -> None:
        """Wait while the server takes commands more slowly than they are issued. For those who await no replies."""
        if self._wire is not None:
            await self._wire.drain()

    async def _connect(self) -> Wire:
        wire = await Wire.open(self._server, patience=self._patience, divert=self._divert)
        self._wire, self._ready = wire, False
        try:
            done = self._on_connect() if self._on_connect is not None else None
            if done is not None:
                await done
        except BaseException:
            await wire.close()
            raise
        self._ready = True
        return wire

    async def _keep(self, wire: Wire) -> None:
        pauses = _pauses()
        outage = self._server.outage
        try:
            while True:
                connected = time.monotonic()
                await self._outlive(wire)
                self.lost_at = time.monotonic()
                if self.lost_at - connected > _STEADY_SECONDS:
                    pauses = _pauses()
                outage.begin(self, wire.broken or "")
                wire = await self._recover(pauses)
                outage.end(self)
        finally:
            outage.end(self, told=False)

    async def _outlive(self, wire: Wire) -> None:
        while not wire.lost.done():
            await asyncio.wait({wire.lost}, timeout=self._ping)
            with suppress(Unavailable, CommandError):
                await wire.execute(("PING",))
        await wire.close()

    async def _recover(self, pauses: Iterator[float]) -> Wire:
        while True:
            await asyncio.sleep(next(pauses))
            try:
                await self._server.revive()
                return await self._connect()
            except DaebusError as error:
                self._server.outage.persist(str(error))
            except Exception:
                _log.exception("The new connection to the server at %s could not be made ready.", self._server.address)


class BlockingLink:
    """A connection of its own for commands that block, such as XREADGROUP. One command at a time.

    It connects when a command needs it, with a growing pause after each failure.

    Args:
        server: Where to.
        key: What the commands are about; on a cluster it says which node is meant.
    """

    def __init__(self, server: RedisServer, key: str) -> None:
        self._server = server
        self._key = key
        self._wire: Wire | None = None
        self._pauses: Iterator[float] | None = None
        self._running = False
        self._interrupted = False
        self._closed = False
        self._reply: asyncio.Future[Reply] | None = None

    async def execute(self, *command: Argument, within: float | None = None) -> Reply:
        """The reply to a command. Raises `CommandError`, and `Unavailable` where the connection breaks.

        Cancelling it breaks the connection, so that the server hands no entry to a reader that is gone.

        Args:
            command: The command.
            within: Seconds after which the connection counts as dead; longer than the command blocks. None: no limit.
        """
        if self._running:
            raise RuntimeError("A BlockingLink runs one command at a time.")
        self._running, self._interrupted = True, False
        try:
            wire = await self._connect()
            if self._interrupted:
                return None
            self._reply = wire.execute(command)
            reply = await self._answer(wire, self._reply, within)
        except CommandError:
            self._pauses = None
            raise
        except Unavailable:
            self._pauses = self._pauses or _pauses()
            raise
        finally:
            self._running, self._reply = False, None
        self._pauses = None
        return reply

    async def interrupt(self, via: CommandLink) -> None:
        """Make a running `execute` return None (the reply, where one is on its way). Does nothing where none runs."""
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

    async def close(self) -> None:
        """Close. A running `execute` raises `Unavailable`, and so does each later one."""
        self._closed = True
        if self._wire is not None:
            await self._wire.close()

    async def _connect(self) -> Wire:
        if self._wire is not None:
            if self._wire.broken is None:
                return self._wire
            await self._wire.close()
        if self._pauses is not None:
            await asyncio.sleep(next(self._pauses))
        wire = self._wire = await Wire.open(self._server, key=self._key, patience=None)
        if self._closed:
            await wire.close()
        return wire

    async def _answer(self, wire: Wire, reply: asyncio.Future[Reply], within: float | None) -> Reply:
        try:
            async with asyncio.timeout(within):
                return await reply
        except TimeoutError:
            wire.drop(f"it did not answer within {within} s")
            raise Unavailable(wire.broken or "") from None
        except (asyncio.CancelledError, Unavailable) as error:
            wire.drop(str(error) or "its command was cancelled")
            raise
