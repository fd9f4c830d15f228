"""The connection for the commands of a process: what it offers, be it to one server or to a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from .resp import Argument, CommandError, Reply, is_missing_script
from .scripts import Script
from .wire import AllAnswered, Answered, Wire

__all__ = ["Link", "OnConnect", "issue_each", "run_script"]

OnConnect: TypeAlias = Callable[[], Awaitable[None] | None]
"""Called, and awaited, after each connect, the first one too; may issue commands. Where it fails, connecting failed."""


class Link(Protocol):
    """The connection of a process for commands. When it breaks, another is made, after a growing pause.

    `open_link` makes the one that a server needs: a `ServerLink`, or a `ClusterLink`.
    """

    @property
    def sharded(self) -> bool:
        """Whether channels that begin with ``daebus:`` are sharded ones."""
        ...

    @property
    def lost_at(self) -> float:
        """When it broke last, or a part of the cluster went away, by `time.monotonic`."""
        ...

    @property
    def address(self) -> str:
        """The server, for messages."""
        ...

    @property
    def connected(self) -> bool:
        """Whether any command that is issued now has a connection to go to, which was made ready."""
        ...

    def reaches(self, key: str) -> bool:
        """Whether commands on a key or a channel have a connection to go to, which was made ready."""
        ...

    async def start(self) -> None:
        """Connect, and keep connected from now on. Raises `Unavailable` where the first attempt fails."""
        ...

    async def close(self) -> None:
        """Send what was issued and close. What is not answered by then fails with `Unavailable`."""
        ...

    def execute(self, *command: Argument) -> asyncio.Future[Reply]:
        """Issue a command, in one write with all others of this tick of the event loop.

        The future fails with `CommandError` where the server refuses the command, and with `Unavailable` where there
        is no connection or where it breaks; the command may have run then. Cancelling it does not recall the command.
        """
        ...

    def issue(self, command: tuple[Argument, ...], answered: Answered) -> None:
        """Issue a command as `execute` does, without a future: its reply or its failure is handed to `answered`."""
        ...

    def issue_all(self, commands: Sequence[tuple[Argument, ...]], answered: AllAnswered) -> None:
        """Issue some commands, at least one, as `issue` does.

        Args:
            commands: The commands.
            answered: Called once, with all replies and failures in the order of the commands, when the last is there.
        """
        ...

    def script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]
    ) -> Coroutine[None, None, Reply]:
        """Run `script`, sending its text only where the server does not know it. Raises as `execute` does."""
        ...

    def beside(self, wire: Wire) -> Link | None:
        """The connection for commands to the same server as `wire`; None where there is none."""
        ...

    def doubt(self) -> None:
        """Find out soon whether the connection is alive, as another one to the server was not."""
        ...

    async def is_heard(self, channel: str) -> bool:
        """Whether anybody subscribes to a channel that is not sharded."""
        ...

    async def subscribers(self, channel: str) -> int:
        """How many connections subscribe to a channel that is not sharded."""
        ...

    async def keys(self, pattern: str) -> list[str]:
        """All keys that match a pattern, in no order. It takes as long as the servers have keys."""
        ...

    async def drain(self) -> None:
        """Wait while the server takes commands more slowly than they are issued. For those who await no replies."""
        ...


async def run_script(link: Link, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Reply:
    """Run a script by its hash, and by its text where the server does not know the hash. Raises as `execute` does."""
    command = ("EVALSHA", script.sha, len(keys), *keys, *args)
    try:
        return await link.execute(*command)
    except CommandError as error:
        if not is_missing_script(error):
            raise
    return await link.execute("EVAL", script.text, len(keys), *keys, *args)


def issue_each(link: Link, commands: Sequence[tuple[Argument, ...]], answered: AllAnswered) -> None:
    """Issue some commands one by one, as their replies may come in any order; see `Link.issue_all`."""
    replies: list[Reply] = [None] * len(commands)
    left = len(commands)

    def take(index: int, reply: Reply) -> None:
        nonlocal left
        replies[index] = reply
        left -= 1
        if not left:
            answered(replies)

    for index, command in enumerate(commands):
        link.issue(command, partial(take, index))
