"""A process on the bus: its id, its two connections and its view of the server's clock."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import cast

from daebus.core.pauses import pauses
from daebus.core.signing import SigningKeys
from daebus.core.stopping import Stopping
from daebus.core.timings import Timings
from daebus.errors import StartupError, Unavailable
from daebus.telemetry.counts import Counts

from .cluster import open_link
from .link import Link
from .redis_server import RedisServer
from .resp import Argument, CommandError, Reply
from .scripts import Script
from .subscriber import Subscriber

__all__ = ["Node", "open_node"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_STEP_MS = 500

_log = logging.getLogger(__name__)


class ServerClock:
    """The server's clock, which is the same for every process, computed from the local clock.

    Attributes:
        offset_ms: The ms from the local `time.monotonic` to the server's time.
    """

    __slots__ = ("_is_known", "offset_ms")

    def __init__(self) -> None:
        self.offset_ms: float = time.time() * 1000 - time.monotonic() * 1000
        self._is_known = False

    async def read(self, link: Link) -> int:
        """Ask the server for its time.

        The server answers at some moment between question and answer. If what is known agrees with that, it is kept,
        so that an answer that was late makes it no worse.

        Returns:
            By how many ms, at least, the server's clock was set forward since the last time; negative: back.
        """
        asked = time.monotonic()
        seconds, micros = cast("list[bytes]", await link.execute("TIME"))
        least, most = (int(seconds) * 1000 + int(micros) / 1000 - at * 1000 for at in (time.monotonic(), asked))
        step = self.offset_ms - min(max(self.offset_ms, least), most)
        if step or not self._is_known:
            self.offset_ms = (least + most) / 2
        was_known, self._is_known = self._is_known, True
        return -round(step) if was_known else 0

    def at(self, monotonic: float) -> int:
        """The server's time in ms at a local `time.monotonic`."""
        return int(monotonic * 1000 + self.offset_ms)

    def now(self) -> int:
        """The server's time in ms."""
        return self.at(time.monotonic())


class Node:
    """A process on the bus.

    Args:
        server: The server to connect to.
        lease: The lease of the instance in seconds; None: it owns nothing.

    Attributes:
        id: Unique; it names the process's reply channel, its consumers and its WebSocket clients. It ends with the
            lease in ms, so that others know when an owner that they only know by its id counts as dead.
        server: The server it is connected to.
        link: The connection for commands.
        subscriber: The connection for pub/sub.
        clock: The server's clock.
        stopping: Whether the service in this process is stopping.
        signing_keys: The keys with which it signs for users and verifies others; None: it trusts the server.
        counts: What has happened in the process.
    """

    def __init__(self, server: RedisServer, lease: float | None = None) -> None:
        self.id: str = secrets.token_hex(6) + ("" if lease is None else f"-{int(lease * 1000)}")
        self.server = server
        self.counts: Counts = Counts()
        self.clock: ServerClock = ServerClock()
        self.link: Link = open_link(server, on_connect=self._connected)
        self.subscriber: Subscriber = Subscriber(server)
        self.stopping: Stopping = Stopping()
        self.signing_keys: SigningKeys | None = None
        self._requests = itertools.count(1)
        self._forgotten: list[Callable[[], None]] = []
        self._doubters: list[Callable[[], None]] = []

    @property
    def timings(self) -> Timings:
        """The timeouts and intervals of the engine."""
        return self.server.timings

    def new_request_id(self) -> str:
        """An id that no other process creates."""
        return f"{self.id}-{next(self._requests):x}"

    async def insist(self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Reply:
        """Run a script, and retry until the server has run it. It may run twice if the connection breaks.

        A server that refuses it because its disk or memory is full is retried too, because the data must not be lost.

        Raises:
            CommandError: The keys are in several slots of a cluster.
        """
        waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                return await self.link.script(script, keys, args)
            except Unavailable:
                pass
            except CommandError as error:
                if error.code == "CROSSSLOT":
                    raise
                _log.error("The server refuses to write to %s: %s", keys[0], error)
            await asyncio.sleep(next(waits))

    def when_forgotten(self, remind: Callable[[], None]) -> None:
        """Register `remind`, which is called whenever the server may have lost the data that this process wrote."""
        self._forgotten.append(remind)

    async def keep_recorded(self, record: Callable[[], Awaitable[None]], forgotten: asyncio.Event) -> None:
        """Record something on the server at the interval of heartbeats, until it is cancelled.

        Args:
            record: Records it. If it fails because of the server, the next time counts.
            forgotten: Set when the server may have lost it (`when_forgotten`): then it is recorded at once.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.timings.beat):
                    await forgotten.wait()
            forgotten.clear()
            with suppress(Unavailable, CommandError):  # the link logs it
                await record()

    def suspect_loss(self) -> None:
        """The server may have lost its data."""
        for remind in self._forgotten:
            remind()

    def when_doubtful(self, doubt: Callable[[], None]) -> None:
        """Register `doubt`, which is called whenever the connection for commands was made again, or a node moved."""
        self._doubters.append(doubt)

    async def keep_time(self) -> None:
        """Follow the server's clock, which may be set at any time, until it is cancelled."""
        while True:
            await asyncio.sleep(self.timings.clock)
            with suppress(Unavailable, CommandError):  # the link logs it
                await self._read_clock()

    async def _read_clock(self) -> None:
        step = await self.clock.read(self.link)
        if abs(step) < _STEP_MS:
            return
        after = self.clock.now()
        told = "The clock of the server at %s was set %s by %.1f s, from %s to %s, or this machine was suspended. %s"
        way, before = "forward" if step > 0 else "back", after - step
        _log.warning(told, self.link.address, way, abs(step) / 1000, _shown(before), _shown(after), _CLOCK_SET)
        self.suspect_loss()  # what is recorded with a time seems old, or stays for too long

    async def _connected(self) -> None:
        await self._read_clock()
        self.suspect_loss()
        for doubt in self._doubters:
            doubt()


_CLOCK_SET = (
    "Deadlines of calls follow the new time from now on; calls that waited may have timed out, or may run "
    "after their deadline."
)


def _shown(server_ms: int) -> str:
    return datetime.fromtimestamp(server_ms / 1000, UTC).isoformat(timespec="seconds")


@asynccontextmanager
async def open_node(server: RedisServer, lease: float | None = None) -> AsyncGenerator[Node]:
    """Connect a process to the bus, and disconnect it at the end.

    Args:
        server: The server.
        lease: The lease of the instance in seconds; None: it owns nothing.

    Raises:
        StartupError: The server cannot be reached, or refuses; one sentence says why.
    """
    await server.check()
    node = Node(server, lease)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(node.link.close)
        stack.push_async_callback(node.subscriber.close)
        starting = await asyncio.gather(node.link.start(), node.subscriber.start(), return_exceptions=True)
        for error in starting:
            if isinstance(error, Unavailable | CommandError):
                raise StartupError(str(error)) from error
            if error is not None:
                raise error
        node.when_doubtful(node.subscriber.doubt)
        keeping = asyncio.create_task(node.keep_time(), name="clock of the server")
        stack.push_async_callback(asyncio.wait, {keeping})
        stack.callback(keeping.cancel)
        yield node
