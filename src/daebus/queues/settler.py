"""Settling entries: all acknowledgements and replies of one tick of the event loop are sent in one write.

An entry that may have been taken over since it was read is confirmed first. If another instance has it, nothing is
sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import msgspec

from daebus.connection.link import Link
from daebus.connection.resp import Argument, CommandError, Reply
from daebus.core.pauses import pauses
from daebus.errors import Unavailable
from daebus.telemetry.logs import Logger

from .leases import Entry, Lease
from .retries import Origin

__all__ = ["Settler"]

_FIRST_PAUSE = 0.05

Command: TypeAlias = tuple[Argument, ...]


class _Ended(msgspec.Struct, eq=False):
    """An entry that has ended, and the command that publishes the reply; None: no reply is wanted."""

    origin: Origin
    entry: Entry
    reply: Command | None


class _Batch(msgspec.Struct, eq=False):
    """Commands that are sent together, the entries that they settle, and the tenure in which these were owned."""

    commands: list[Command]
    ended: list[_Ended]
    tenure: int | None


class Settler:
    """Sends replies and acknowledges entries, and retries until the server has accepted them.

    Args:
        lease: The lease by which this instance owns the entries.
        link: The connection.
        logger: For commands that the server refuses, and for outcomes that no longer count.
    """

    def __init__(self, lease: Lease, link: Link, logger: Logger) -> None:
        self.lease = lease
        self._link = link
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._replies: list[Command] = []
        self._ended: list[_Ended] = []
        self._failed: list[_Batch] = []
        self._flushing = False
        self._under_way: dict[int, _Batch] = {}
        self._confirming: dict[asyncio.Task[None], list[_Ended]] = {}
        self._pauses: Iterator[float] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def reply(self, channel: str, reply: bytes) -> None:
        """Publish a reply that counts in any case, before anything that is settled after it."""
        self._replies.append(("PUBLISH", channel, reply))
        if not self._flushing:
            self._flush_soon()

    def settle(self, origin: Origin, entry: Entry, reply: tuple[str, bytes] | None = None) -> None:
        """Acknowledge an entry, unless another instance has taken it over.

        Args:
            origin: Where it comes from; it is deleted if no other group needs it.
            entry: The entry.
            reply: A channel and a reply to publish first; None: there is none.
        """
        self._ended.append(_Ended(origin, entry, None if reply is None else ("PUBLISH", *reply)))
        if not self._flushing:
            self._flush_soon()

    def unsettled(self, key: str, group: str) -> list[Entry]:
        """Settled entries of a stream that the server may still regard as pending."""
        batches = [batch.ended for batch in (*self._under_way.values(), *self._failed)]
        ended = (one for batch in (self._ended, *batches, *self._confirming.values()) for one in batch)
        return [one.entry for one in ended if one.origin.stream == key and one.origin.group == group]

    def tell_dropped(self, handlers: Mapping[str, int]) -> None:
        """Log that the outcomes of entries do not count, by the names of their handlers."""
        self._logger.warning(
            "outcome dropped: another instance has taken the entry over, or it is gone",
            entries=sum(handlers.values()),
            handlers=dict(handlers),
        )

    async def drain(self) -> None:
        """Wait until the server has accepted everything."""
        await self._idle.wait()

    async def close(self) -> None:
        """Ask no more whether entries are still owned."""
        for task in self._confirming:
            task.cancel()
        if self._confirming:
            await asyncio.wait(self._confirming)

    def _flush_soon(self) -> None:
        self._flushing = True
        self._idle.clear()
        self._loop.call_soon(self._flush)

    def _flush(self, confirmed: list[_Ended] | None = None) -> None:
        """Send what has ended in this tick; or entries that were confirmed after a doubt."""
        if confirmed is None:
            self._flushing = False
            commands, self._replies = self._replies, []
            ended, self._ended = self._ended, []
        else:
            commands, ended = [], confirmed
        tenure = self.lease.tenure
        done: dict[Origin, list[bytes]] = {}
        doubtful: list[_Ended] = []
        for one in ended:
            if confirmed is None and (tenure is None or one.entry.tenure != tenure):
                doubtful.append(one)
                continue
            if one.reply is not None:
                commands.append(one.reply)
            ids = done.get(one.origin)
            if ids is None:
                done[one.origin] = [one.entry.id]
            else:
                ids.append(one.entry.id)
        for origin, ids in done.items():
            commands.append(("XACK", origin.stream, origin.group, *ids))
            if origin.stream == origin.again:  # `is_own`, without a call for each message
                commands.append(("XDEL", origin.stream, *ids))
        if doubtful:
            ended = [one for one in ended if one.entry.tenure == tenure is not None]
            self._confirm(doubtful)
        self._send(_Batch(commands, ended, tenure))

    def _send(self, batch: _Batch) -> None:
        if batch.commands:
            self._under_way[id(batch)] = batch
            self._link.issue_all(batch.commands, partial(self._answered, batch))
        else:
            self._check_idle()

    def _answered(self, batch: _Batch, replies: list[Reply]) -> None:
        """Handle the server's answers: unsent commands are sent again, refused ones are logged."""
        del self._under_way[id(batch)]
        unsent: list[Command] = []
        refused: list[str] = []
        for command, reply in zip(batch.commands, replies, strict=True):
            if isinstance(reply, Unavailable):
                unsent.append(command)
            elif isinstance(reply, Exception):
                refused.append(str(reply.explained(command) if isinstance(reply, CommandError) else reply))
        if refused:
            self._logger.error("entries could not be settled", reason=refused[0], commands=len(refused))
        if unsent:
            if not self._failed:
                self._pauses = self._pauses or pauses(_FIRST_PAUSE)
                self._loop.call_later(next(self._pauses), self._again)
            self._failed.append(_Batch(unsent, batch.ended, batch.tenure))
        else:
            self._pauses = None
        self._check_idle()

    def _check_idle(self) -> None:
        if not (self._under_way or self._flushing or self._failed or self._confirming):
            self._idle.set()

    def _again(self) -> None:
        failed, self._failed = self._failed, []
        for batch in failed:
            if batch.tenure is None or batch.tenure != self.lease.tenure:
                self._reconsider(batch)
            self._send(batch)

    def _reconsider(self, batch: _Batch) -> None:
        """Take out of a batch what belongs to entries that may have been taken over since, and confirm these."""
        unsent = set(batch.commands)
        acks = {command[1:3] for command in unsent if command[0] == "XACK"}
        doubtful = [one for one in batch.ended if (one.origin.stream, one.origin.group) in acks]
        void = {one.reply for one in doubtful}
        streams = {one.origin.stream for one in doubtful}
        batch.commands = [
            command
            for command in batch.commands
            if command not in void and (command[0] == "PUBLISH" or command[1] not in streams)
        ]
        for one in doubtful:
            one.entry.tenure = None
            batch.ended.remove(one)
            if one.reply not in unsent:
                one.reply = None  # it was published
        self._confirm(doubtful)

    def _confirm(self, doubtful: list[_Ended]) -> None:
        if doubtful:
            task = self._loop.create_task(self._settle_owned(doubtful), name="settling after a lapse")
            self._confirming[task] = doubtful
            task.add_done_callback(self._confirmed)

    def _confirmed(self, task: asyncio.Task[None]) -> None:
        del self._confirming[task]
        self._check_idle()

    async def _settle_owned(self, doubtful: Sequence[_Ended]) -> None:
        lost = Counter[str]()
        for origin in {one.origin: None for one in doubtful}:
            ended = [one for one in doubtful if one.origin is origin]
            held = await self.lease.owned(origin.stream, origin.registry, origin.group, [one.entry for one in ended])
            owned = set(held)
            self._flush([one for one in ended if one.entry in owned])
            lost[origin.name] += len(ended) - len(owned)
        if lost := +lost:
            self.tell_dropped(lost)
