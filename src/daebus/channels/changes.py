"""Changed streams: one connection on which a process reads many of them, and is told which ones have new entries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

from daebus.connection.cluster import open_link
from daebus.connection.node import Node
from daebus.connection.resp import Argument, Reply
from daebus.core.pauses import pauses
from daebus.errors import Unavailable
from daebus.queues.sources import Batch

__all__ = ["Changes", "SharedSource"]

# The server remembers the keys that are read on such a connection, and tells once that a key has changed: it is meant
# for caches. Only the third version of the protocol has such messages on a connection that also has replies.
_TRACKED: Sequence[tuple[Argument, ...]] = (("HELLO", 3), ("CLIENT", "TRACKING", "ON"))
_CHANGED = b"invalidate"

_WAIT_SECONDS = 5.0

# An event wakes each replica, and one gets it. A replica that mostly finds nothing asks a little later. Events do not
# wait for it while others are quicker, and after a few that it gets it asks at once again.
_VAIN, _MOST_VAIN = 3, 16
_VAIN_SECONDS = 0.005
_LONGEST_SECONDS = 0.02

Change = asyncio.Future[None]


class Changes:
    """The connection on which some streams are read; on a cluster there is one to each primary.

    A read that blocks occupies its connection, and can have only one group. Here no read blocks. Before a stream is
    read, the server is asked to tell when it changes (`next`). If the read brings no more, the next one has to wait
    for that.

    Args:
        node: This process.
    """

    def __init__(self, node: Node) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = open_link(node.server, on_connect=self._all_changed, divert=self._divert, first=_TRACKED)
        node.when_doubtful(self._link.doubt)
        self._next: dict[bytes, Change] = {}
        self.execute: Callable[..., asyncio.Future[Reply]] = self._link.execute

    async def start(self) -> None:
        """Connect, and stay connected.

        Raises:
            CommandError: The server does not tell about changes, or not this user.
            Unavailable: The first attempt failed.
        """
        await self._link.start()

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    def next(self, key: str) -> Change:
        """The next change of a stream: done once it has changed, or may have, since this was first returned.

        Commands that are executed on this connection after it was returned see all changes before.
        """
        name = key.encode()
        change = self._next.get(name)
        if change is None:
            change = self._next[name] = self._loop.create_future()
            self._link.issue(("XLEN", key), partial(self._asked, name))
        return change

    def _asked(self, name: bytes, reply: Reply) -> None:
        if isinstance(reply, Exception):
            self._changed(name)

    def _divert(self, reply: Reply) -> bool:
        if not isinstance(reply, list) or reply[0] != _CHANGED:
            return False
        if reply[1] is None:  # all keys are gone
            self._all_changed()
        else:
            for name in cast("list[bytes]", reply[1]):
                self._changed(name)
        return True

    def _all_changed(self) -> None:
        for name in list(self._next):
            self._changed(name)

    def _changed(self, name: bytes) -> None:
        change = self._next.pop(name, None)
        if change is not None and not change.done():
            change.set_result(None)


class SharedSource:
    """The source of one group of one stream, over the connection that it shares with others.

    Args:
        changes: The connection.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._stopped: Change = asyncio.get_running_loop().create_future()
        self._drained: Change | None = None
        self._vain = 0
        self._pauses: Iterator[float] | None = None

    async def read(self, group: str, consumer: str, count: int, keys: Sequence[str]) -> Batch:
        """Wait for new entries of the one stream; see `Source.read`."""
        (key,) = keys
        if self._pauses is not None:
            await asyncio.sleep(next(self._pauses))
        change = self._changes.next(key)
        was_told = change is self._drained
        if was_told:
            was_told = await self._wait(change)
            if self._stopped.done():
                return []
            change = self._changes.next(key)
        command = ("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", key, ">")
        try:
            reply = await self._changes.execute(*command)
        except Unavailable:
            self._pauses = self._pauses or pauses()
            raise
        self._pauses = None
        batch = list(cast("dict[bytes, list[tuple[bytes, list[bytes] | None]]]", reply or {}).items())
        if not batch or len(batch[0][1]) < count:
            self._drained = change
        if batch:
            self._vain //= 2
        elif was_told:
            self._vain = min(_MOST_VAIN, self._vain + 1)
        return batch

    async def _wait(self, change: Change) -> bool:
        """Wait for a change; False: there was none for so long that the stream is read all the same.

        The server does not tell when a group is destroyed.
        """
        self._drained = None
        waits = {change, self._stopped}
        await asyncio.wait(waits, timeout=_WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._vain >= _VAIN and change.done() and not self._stopped.done():
            longest = min(_LONGEST_SECONDS, _VAIN_SECONDS * (self._vain - _VAIN + 1))
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  # spread, not secrecy
        return change.done()

    async def interrupt(self) -> None:
        """Let the read that is waiting be the last one."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    async def close(self) -> None:
        """Do nothing: the connection belongs to all."""
