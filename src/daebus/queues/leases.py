"""Leases: an instance owns the entries that it has read while it sends heartbeats, however long the work takes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import cast

import msgspec

from daebus.connection.cluster import open_link
from daebus.connection.link import Link
from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.core.uptime import uptime
from daebus.errors import Unavailable
from daebus.protocol.fences import entry_fence, fence_counter
from daebus.protocol.fields import number_in
from daebus.telemetry.logs import Logger

from .lapses import Lapses, OnLapse
from .lease_scripts import CONFIRM, TAKE_OVER
from .registries import Registries
from .suspects import Suspects

__all__ = ["Entry", "Lease", "Taken"]

_RETRY_SECONDS, _REFUSED_SECONDS = 0.2, 2.0
_PAGE = 500


class Entry(msgspec.Struct, eq=False):
    """An entry of a stream, as delivered to this instance.

    Attributes:
        id: Its id.
        fields: Names and values alternating, as the server returns them.
        deliveries: How often it was delivered to an instance, including this time.
        drawn: The number of its take-over for its fence; 0: no other instance had it before.
        tenure: The tenure of the lease in which it was read or confirmed; None: unknown, it has to be confirmed.
        is_ending: Whether its outcome is being stored, in steps that check themselves that it was not taken over.
        is_lost: Whether its handler was cancelled because another instance has taken it over.
        span: The ``traceparent`` of the span of its handler, for the next attempt; None: it has none.
    """

    id: bytes
    fields: Sequence[bytes]
    deliveries: int = 1
    drawn: int = 0
    tenure: int | None = None
    is_ending: bool = False
    is_lost: bool = False
    span: str | None = None

    @property
    def fence(self) -> str:
        """The fence of this delivery."""
        return entry_fence(self.id, self.drawn)

    @property
    def attempt(self) -> int:
        """The number of this attempt to handle the message."""
        return self.deliveries + number_in(self.get(b"failures"))

    def get(self, name: bytes) -> bytes | None:
        """The value of a field; None if it is missing."""
        fields = self.fields
        if fields and fields[0] == name:  # as nearly always
            return fields[1]
        if name not in fields:
            return None
        index = fields.index(name)
        if index % 2 == 0:
            return fields[index + 1]
        # The first one is a value that looks like the name.
        return next((fields[index + 1] for index in range(0, len(fields), 2) if fields[index] == name), None)


class Taken(msgspec.Struct, frozen=True):
    """Entries that were taken over.

    Attributes:
        entries: The entries. At most one is a suspect: it was delivered more than once, including this time.
        left: How many more entries dead instances own; -1: unknown, as this instance counts as dead itself.
    """

    entries: Sequence[Entry]
    left: int


class Lease:
    """The heartbeat of one instance in some registries, and the takeover of entries from dead instances.

    The heartbeat has its own thread and its own connection, so that a handler that blocks the event loop does not stop
    it.

    Args:
        node: This process.
        registries: The sorted sets for the heartbeats of the instances of the streams' services.
        seconds: How long after its last heartbeat an instance counts as dead.
        logger: For errors.
        on_lapse: What happens to the handlers of entries that were taken over while this instance was cut off.

    Attributes:
        suspects: The turns of the entries that were taken over from dead instances.
        lapses: What happens after this instance was cut off for longer than its lease.
        is_paused: Whether no heartbeats are sent although the thread could, as the event loop hangs.
        registries: The registries in which this instance sends heartbeats.
    """

    def __init__(
        self,
        node: Node,
        registries: Sequence[str],
        seconds: float,
        logger: Logger,
        *,
        on_lapse: OnLapse = "cancel",
    ) -> None:
        self._node = node
        self.seconds = seconds
        self._milliseconds = int(seconds * 1000)
        self._logger = logger
        self._confirmed, self._steady_since = float("-inf"), float("inf")
        self._lapses, self._has_ended = 0, False
        self.is_paused: bool = False
        self._rest: _Rest | None = None
        self.suspects: Suspects = Suspects()
        self.lapses: Lapses = Lapses(seconds, logger, on_lapse)
        self.registries: Registries = Registries(node, registries, self._milliseconds, logger)
        self._pause = seconds / 3
        self._thread: threading.Thread | None = None

    @property
    def tenure(self) -> int | None:
        """Unchanged while no entry of this instance can have been taken over; None: one may have been."""
        # Only half of the lease: a clock of the server that is set forward by less than that, unnoticed, shortens it.
        return self._lapses if uptime() - self._confirmed < self.seconds / 2 else None

    @property
    def silence(self) -> float:
        """Seconds since the last heartbeat that the server has confirmed."""
        return uptime() - self._confirmed

    @property
    def may_take_over(self) -> bool:
        """Whether the server has been reachable for long enough that every live owner has sent a new heartbeat."""
        return self.tenure is not None and uptime() - self._steady_since > self.seconds

    def covers(self, entry: Entry) -> bool:
        """Whether an entry cannot have been taken over; if False, ask with `owned`."""
        return entry.tenure is not None and entry.tenure == self.tenure

    async def start(self) -> None:
        """Send one heartbeat, and continue in the thread."""
        await self._beat(self._node.link)
        ready: asyncio.Future[_Rest] = asyncio.get_running_loop().create_future()
        self._thread = threading.Thread(target=self._run, args=[ready], name="daebus-heartbeat", daemon=True)
        self._thread.start()
        self._rest = await ready

    async def stop(self) -> None:
        """Stop the heartbeat and announce it, so that unfinished entries are taken over at once."""
        self._has_ended = True
        if self._rest is not None and self._thread is not None:
            self._rest.end()
            await asyncio.to_thread(self._thread.join)
        self._confirmed = float("-inf")
        await self.lapses.stop()
        await self.registries.depart()

    async def take_over(
        self, key: str, registry: str, group: str, room: int, dead: Sequence[bytes], *, suspects: bool = True
    ) -> Taken:
        """Take over entries of a stream: one suspect of a dead instance, and entries that were left in order.

        Args:
            key: The stream.
            registry: The registry of the instances that read it.
            group: The consumer group.
            room: The largest number of entries.
            dead: The ids of the dead.
            suspects: Whether one of them may be a suspect.
        """
        if room < 1 or not self.may_take_over:
            return Taken([], -1)
        arguments: list[Argument] = [group, self._node.id, self._milliseconds, room, int(suspects), *dead]
        tenure, keys = self.tenure, [key, registry, fence_counter(registry)]
        answer = await self._node.link.script(TAKE_OVER, keys, arguments)
        rows, left = cast("tuple[list[tuple[bytes, list[bytes], int, int]], int]", answer)
        return Taken([Entry(*row, tenure) for row in rows], left)

    async def confirm(self, key: str, registry: str, group: str, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that are still with this delivery to this instance; from now on they are of its present tenure.

        If the group is gone, none is.
        """
        silent, tenure = uptime() - self._confirmed, self.tenure
        pairs = [part for entry in entries for part in (entry.id, entry.deliveries)]
        arguments = (group, self._node.id, self._milliseconds, *pairs)
        was_dead, *answers = cast("list[int]", await self._node.link.script(CONFIRM, [key, registry], arguments))
        if was_dead and silent < self.seconds:  # else the next heartbeat finds it
            self._lapses, tenure = self._lapses + 1, None
            self.lapses.begin(silent)
        owned = [entry for entry, answer in zip(entries, answers, strict=True) if answer]
        for entry in owned:
            entry.tenure = tenure
        return owned

    async def owned(self, key: str, registry: str, group: str, entries: Collection[Entry]) -> list[Entry]:
        """Like `confirm`, for many entries, and retried until the server answers in time, or the lease ends."""
        waiting, owned = list(entries), list[Entry]()
        while waiting and not self._has_ended:
            asked = uptime()
            try:
                found = await self.confirm(key, registry, group, waiting[:_PAGE])
                if uptime() - asked < self.seconds / 2:  # else they may have been taken over since the server answered
                    owned += found
                    del waiting[:_PAGE]
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            except CommandError as error:
                self._logger.error("the server does not say which entries are still owned", reason=str(error))
                await asyncio.sleep(_REFUSED_SECONDS)
        return owned

    async def _beat(self, link: Link) -> None:
        asked = uptime()
        self._pause, was_dead = await self.registries.beat(link)
        silent = asked - self._confirmed
        has_lapsed = was_dead or silent >= self.seconds
        if has_lapsed:
            self._lapses += 1
            self._steady_since = float("inf")
        self._steady_since = min(self._steady_since, asked)
        self._confirmed = asked
        if has_lapsed and self._lapses > 1:
            self.lapses.begin(silent)

    def _run(self, ready: asyncio.Future[_Rest]) -> None:
        try:
            asyncio.run(self._beat_on(ready))
        except Exception as error:
            self._logger.critical("the heartbeat stopped: others will take over this instance's work", exc_info=error)

    async def _beat_on(self, ready: asyncio.Future[_Rest]) -> None:
        rest = _Rest()
        ready.get_loop().call_soon_threadsafe(ready.set_result, rest)
        link = open_link(
            self._node.server, on_connect=lambda: self._connected(link), patience=max(0.1, self.seconds / 3)
        )
        try:
            while not await rest.ends_within(0) and not await self._connects(link):
                await rest.ends_within(_RETRY_SECONDS)
            ended = False
            while not ended:
                ended = await rest.ends_within(self._pause if await self._beats(link) else _RETRY_SECONDS)
        finally:
            await link.close()

    async def _connects(self, link: Link) -> bool:
        with suppress(Unavailable, CommandError):
            await link.start()
            return True
        return False

    async def _connected(self, link: Link) -> None:
        # The server may have older data than before: nobody takes over anything before each instance had time to beat.
        self._steady_since = uptime()
        if not self.is_paused:
            await self._beat(link)

    async def _beats(self, link: Link) -> bool:
        try:
            if not self.is_paused:
                await self._beat(link)
        except (Unavailable, CommandError) as error:
            self._steady_since = float("inf")
            self._logger.debug("no heartbeat", reason=str(error))
            return False
        return not self.is_paused


class _Rest:
    """The pauses of the heartbeat's thread, which another thread can end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    async def ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return self._ended.is_set()
