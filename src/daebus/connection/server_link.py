"""The connection to one server for all commands of a process, which reconnects when it breaks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import cast

from daebus.core.pauses import pauses
from daebus.errors import DaebusError, Unavailable

from .link import OnConnect, run_script
from .outages import NotSent
from .redis_server import RedisServer
from .resp import Argument, CommandError, Reply
from .scripts import Script
from .wire import AllAnswered, Answered, Wire

__all__ = ["ServerLink"]

_SUSPECT_SECONDS = 0.5
_HUNG_SECONDS = 1.0
_STEADY_SECONDS = 5.0  # a connection that breaks sooner does not begin the pauses anew

_log = logging.getLogger(__name__)


class ServerLink:
    """The `Link` to one server: one connection. When it breaks, it reconnects after a growing pause.

    Attributes:
        lost_at: When it last broke, by `time.monotonic`.
        sharded: Whether channels that begin with ``daebus:`` are sharded ones.
    """

    sharded: bool = False

    def __init__(
        self,
        server: RedisServer,
        *,
        on_connect: OnConnect | None = None,
        divert: Callable[[Reply], bool] | None = None,
        patience: float | None = None,
        first: Sequence[tuple[Argument, ...]] = (),
    ) -> None:
        """Set up the link; nothing is opened.

        Args:
            server: The server.
            on_connect: Called and awaited after each connect, including the first; may issue commands. If it fails, the
                connection is given up, and made again.
            divert: See `Wire.open`.
            patience: Seconds of silence, while replies are due, after which the connection counts as dead; default: as
                the timings of the server say.
            first: Commands with which each connection begins.
        """
        self._server = server
        self._on_connect = on_connect
        self._divert = divert
        self._first = first
        self._patience = server.timings.patience if patience is None else patience
        self._ping = server.timings.ping
        self._wire: Wire | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = False
        self._doubted = asyncio.Event()
        self.lost_at: float = 0.0

    @property
    def address(self) -> str:
        """The server, for messages."""
        return self._server.address

    @property
    def connected(self) -> bool:
        """Whether a command that is issued now has a connection that is ready."""
        return self.reaches("")

    @property
    def silence(self) -> float:
        """Seconds since the server last sent something, if replies are due; else 0."""
        return 0.0 if self._wire is None else self._wire.silence

    def reaches(self, key: str) -> bool:
        """Whether there is a connection that is ready; this server has every key."""
        return self._ready and self._wire is not None and self._wire.broken is None

    async def start(self) -> None:
        """Connect, and stay connected. Raises `Unavailable` if the first attempt fails."""
        wire = await self._connect()
        self._keeper = asyncio.create_task(self._keep(wire), name=f"connection to {self._server.address}")

    async def close(self) -> None:
        """Send the issued commands and close. Commands without an answer by then fail with `Unavailable`."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        if self._wire is not None:
            await self._wire.close()

    def execute(self, *command: Argument) -> asyncio.Future[Reply]:
        """Issue a command, in one write with all others of this tick of the event loop.

        The future fails with `CommandError` if the server refuses the command. It fails with `Unavailable` if there is
        no connection or it breaks; the command may have run then. Cancelling it does not recall the command.
        """
        if self._wire is not None:
            return self._wire.execute(command)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        future.set_exception(self._not_open())
        return future

    def issue(self, command: tuple[Argument, ...], answered: Answered) -> None:
        """Issue a command like `execute`, without a future: its reply or its failure is passed to `answered`."""
        if self._wire is not None:
            self._wire.issue(command, answered)
        else:
            answered(self._not_open())

    def issue_all(self, commands: Sequence[tuple[Argument, ...]], answered: AllAnswered) -> None:
        """Issue some commands; see `Link.issue_all`."""
        if self._wire is not None:
            self._wire.issue_all(commands, answered)
        else:
            answered([self._not_open()] * len(commands))

    def _not_open(self) -> Unavailable:
        return NotSent(f"The connection to the server at {self._server.address} is not open.")

    def script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]
    ) -> Coroutine[None, None, Reply]:
        """Run `script`; its text is sent only if the server does not know it. Raises the errors of `execute`."""
        return run_script(self, script, keys, args)

    def beside(self, wire: Wire) -> ServerLink | None:
        """The link to the same server as `wire`; None: there is none."""
        return self if self._wire is not None and self._wire.address == wire.address else None

    def doubt(self) -> None:
        """Check soon whether the connection is alive, because another one to the server was not."""
        self._doubted.set()
        self.issue(("PING",), lambda _: None)

    async def is_heard(self, channel: str) -> bool:
        """Whether a channel that is not sharded has a subscriber."""
        return await self.subscribers(channel) > 0

    async def subscribers(self, channel: str) -> int:
        """How many connections subscribe to a channel that is not sharded."""
        _, count = cast("tuple[bytes, int]", await self.execute("PUBSUB", "NUMSUB", channel))
        return count

    async def keys(self, pattern: str) -> list[str]:
        """The keys of the server that match a pattern, in no order. The time grows with the number of its keys."""
        found: list[str] = []
        cursor: bytes | None = None
        while cursor != b"0":
            page = await self.execute("SCAN", cursor or b"0", "MATCH", pattern, "COUNT", 1000)
            cursor, names = cast("tuple[bytes, list[bytes]]", page)
            found += [name.decode(errors="replace") for name in names]
        return found

    async def drain(self) -> None:
        """Wait while the server accepts commands more slowly than they are issued. For callers without replies."""
        if self._wire is not None:
            await self._wire.drain()

    async def _connect(self) -> Wire:
        wire = await Wire.open(self._server, patience=self._patience, divert=self._divert)
        self._wire, self._ready = wire, False
        try:
            for command in self._first:
                await wire.execute(command)
            done = self._on_connect() if self._on_connect is not None else None
            if done is not None:
                await done
        except BaseException:
            await wire.close()
            raise
        self._ready = True
        return wire

    async def _keep(self, wire: Wire) -> None:
        waits = pauses()
        outage = self._server.outage
        try:
            while True:
                connected = time.monotonic()
                await self._outlive(wire)
                self.lost_at = time.monotonic()
                if self.lost_at - connected > _STEADY_SECONDS:
                    waits = pauses()
                outage.begin(self, wire.broken or "")
                wire = await self._recover(waits)
                outage.end(self)
        finally:
            outage.end(self, told=False)

    async def _outlive(self, wire: Wire) -> None:
        watching = asyncio.create_task(self._suspect(wire)) if self._server.is_watched else None
        try:
            while not wire.lost.done():
                await asyncio.wait({wire.lost}, timeout=self._ping)
                with suppress(Unavailable, CommandError):
                    await wire.execute(("PING",))
        finally:
            if watching is not None:
                watching.cancel()
        await wire.close()

    async def _suspect(self, wire: Wire) -> None:
        """Leave a server that the Sentinels have replaced, whether it hangs or still answers.

        While it cannot reach the Sentinels, it takes writes, and they are lost.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SUSPECT_SECONDS):
                    await self._doubted.wait()
            with suppress(Unavailable):
                if self._doubted.is_set() or wire.silence > _HUNG_SECONDS:
                    self._doubted.clear()
                    if await self._server.locate() != wire.address:
                        wire.drop("it does not respond, and its Sentinels name another server")
                elif await self._server.elected() not in (None, wire.address):
                    wire.drop("its Sentinels name another server")

    async def _recover(self, waits: Iterator[float]) -> Wire:
        while True:
            await asyncio.sleep(next(waits))
            try:
                await self._server.revive()
                return await self._connect()
            except DaebusError as error:
                self._server.outage.persist(str(error))
            except Exception:
                _log.exception("The new connection to the server at %s could not be set up.", self._server.address)
