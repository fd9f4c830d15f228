"""Settling entries: all acknowledgements and replies of one tick of the event loop are sent in one write."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from daebus.connection.link import Link
from daebus.connection.resp import Argument, CommandError, Reply
from daebus.core.pauses import pauses
from daebus.errors import Unavailable
from daebus.telemetry.logs import Logger

__all__ = ["Settler"]

_FIRST_PAUSE = 0.05

Command = tuple[Argument, ...]


class Settler:
    """Sends replies and acknowledges entries, and retries until the server has accepted them.

    Args:
        link: The connection.
        logger: For commands that the server refuses.
    """

    def __init__(self, link: Link, logger: Logger) -> None:
        self._link = link
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._replies: list[Command] = []
        self._done: dict[tuple[str, str, bool], list[bytes]] = defaultdict(list)
        self._failed: list[Command] = []
        self._flushing = False
        self._under_way: dict[int, list[Command]] = {}
        self._pauses: Iterator[float] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def reply(self, channel: str, reply: bytes) -> None:
        """Publish a reply, before anything that is settled after it."""
        self._replies.append(("PUBLISH", channel, reply))
        if not self._flushing:
            self._flush_soon()

    def settle(
        self, key: str, group: str, entry_id: bytes, *, delete: bool, reply: tuple[str, bytes] | None = None
    ) -> None:
        """Acknowledge an entry of a stream.

        Args:
            key: The stream.
            group: The consumer group.
            entry_id: The entry.
            delete: Whether to delete the entry, as no other group needs it.
            reply: A channel and a reply to publish first; None: there is none.
        """
        if reply is not None:
            self._replies.append(("PUBLISH", *reply))
        self._done[key, group, delete].append(entry_id)
        if not self._flushing:
            self._flush_soon()

    def unsettled(self, key: str, group: str) -> set[bytes]:
        """Settled entries of a stream that the server may still regard as pending."""
        under_way = [command for commands in self._under_way.values() for command in commands]
        sent = [command[3:] for command in (*under_way, *self._failed) if command[:3] == ("XACK", key, group)]
        waiting = [self._done.get((key, group, delete), ()) for delete in (False, True)]
        return {entry_id for ids in (*sent, *waiting) for entry_id in ids if isinstance(entry_id, bytes)}

    async def drain(self) -> None:
        """Wait until the server has accepted everything."""
        await self._idle.wait()

    def _flush_soon(self) -> None:
        self._flushing = True
        self._idle.clear()
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        commands = self._replies
        self._replies = []
        for (key, group, delete), ids in self._done.items():
            commands.append(("XACK", key, group, *ids))
            if delete:
                commands.append(("XDEL", key, *ids))
        self._done.clear()
        self._send(commands)

    def _send(self, commands: list[Command]) -> None:
        self._under_way[id(commands)] = commands
        self._link.issue_all(commands, partial(self._answered, commands))

    def _answered(self, commands: list[Command], replies: list[Reply]) -> None:
        """Handle the server's answers: unsent commands are sent again, refused ones are logged."""
        del self._under_way[id(commands)]
        unsent: list[Command] = []
        refused: list[str] = []
        for command, reply in zip(commands, replies, strict=True):
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
            self._failed.extend(unsent)
        else:
            self._pauses = None
        if not (self._under_way or self._flushing or self._failed):
            self._idle.set()

    def _again(self) -> None:
        commands, self._failed = self._failed, []
        self._send(commands)
