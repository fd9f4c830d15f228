"""Settling: what is done with is told to the server, all of a tick of the event loop in one write."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence

from daebus.core.errors import Unavailable
from daebus.core.logs import Logger

from .connection import Argument, Reply
from .links import CommandLink

__all__ = ["Settler"]

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0

Command = tuple[Argument, ...]


class Settler:
    """Sends replies and acknowledges entries, again and again until the server has taken them.

    Args:
        link: The connection.
        logger: For what the server refuses.
    """

    def __init__(self, link: CommandLink, logger: Logger) -> None:
        self._link = link
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._replies: list[Command] = []
        self._done: dict[tuple[str, str, bool], list[bytes]] = defaultdict(list)
        self._failed: list[Command] = []
        self._flushing = False
        self._under_way = 0
        self._pause = _FIRST_PAUSE
        self._idle = asyncio.Event()
        self._idle.set()

    def reply(self, channel: str, reply: bytes) -> None:
        """Publish a reply, before what is settled after it."""
        self._replies.append(("PUBLISH", channel, reply))
        self._flush_soon()

    def settle(self, key: str, group: str, entry_id: bytes, *, delete: bool) -> None:
        """Acknowledge an entry of a stream; `delete` it where no other group wants it."""
        self._done[key, group, delete].append(entry_id)
        self._flush_soon()

    async def drain(self) -> None:
        """Wait until the server has taken everything."""
        await self._idle.wait()

    def _flush_soon(self) -> None:
        if not self._flushing:
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

    def _send(self, commands: Sequence[Command]) -> None:
        self._under_way += 1
        batch = _Batch(self, commands)
        for command in commands:
            self._link.issue(command, batch.answered)

    def finish(self, unsent: list[Command], refused: list[str]) -> None:
        """A batch was answered: `unsent` must be sent again, and `refused` says what never will be taken."""
        self._under_way -= 1
        if refused:
            self._logger.error("entries could not be settled", reason=refused[0], commands=len(refused))
        if unsent:
            if not self._failed:
                self._loop.call_later(self._pause * random.uniform(0.5, 1.0), self._again)  # noqa: S311
                self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            self._failed.extend(unsent)
        else:
            self._pause = _FIRST_PAUSE
        if not (self._under_way or self._flushing or self._failed):
            self._idle.set()

    def _again(self) -> None:
        commands, self._failed = self._failed, []
        self._send(commands)


class _Batch:
    """Commands of one tick, whose replies come in their order."""

    __slots__ = ("_answers", "_commands", "_refused", "_settler", "_unsent")

    def __init__(self, settler: Settler, commands: Sequence[Command]) -> None:
        self._settler = settler
        self._commands = commands
        self._answers = 0
        self._unsent: list[Command] = []
        self._refused: list[str] = []

    def answered(self, reply: Reply) -> None:
        command = self._commands[self._answers]
        self._answers += 1
        if isinstance(reply, Unavailable):
            self._unsent.append(command)
        elif isinstance(reply, Exception):
            self._refused.append(str(reply))
        if self._answers == len(self._commands):
            self._settler.finish(self._unsent, self._refused)
