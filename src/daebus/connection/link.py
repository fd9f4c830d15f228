"""The connection for the commands of a process: the interface for one server and for a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from .resp import Argument, CommandError, Reply, is_missing_script
from .scripts import Script
from .wire import AllAnswered, Answered, Wire

__all__ = ["Link", "OnConnect", "issue_each", "publish_command", "run_script"]

OnConnect: TypeAlias = Callable[[], Awaitable[None] | None]
"""Called and awaited after each connect, including the first; may issue commands. If it fails, connecting failed."""


class Link(Protocol):
    """The connection of a process for commands. When it breaks, it reconnects after a growing pause.

    `open_link` creates the one that a server needs: a `ServerLink`, or a `ClusterLink`.
    """

    @property
    def sharded(self) -> bool:
        """Whether channels that begin with ``daebus:`` are sharded ones."""
        ...

    @property
    def lost_at(self) -> float:
        """When the connection last broke, or a part of the cluster was last lost, by `time.monotonic`."""
        ...

    @property
    def address(self) -> str:
        """The server, for messages."""
        ...

    @property
    def connected(self) -> bool:
        """Whether a command that is issued now has a connection that is ready."""
        ...

    def reaches(self, key: str) -> bool:
        """Whether commands on a key or a channel have a connection that is ready."""
        ...

    async def start(self) -> None:
        """Connect, and stay connected. Raises `Unavailable` if the first attempt fails."""
        ...

    async def close(self) -> None:
        """Send the issued commands and close. Commands without an answer by then fail with `Unavailable`."""
        ...

    def execute(self, *command: Argument) -> asyncio.Future[Reply]:
        """Issue a command, in one write with all others of this tick of the event loop.

        The future fails with `CommandError` if the server refuses the command. It fails with `Unavailable` if there is
        no connection or it breaks; the command may have run then. Cancelling it does not recall the command.
        """
        ...

    def issue(self, command: tuple[Argument, ...], answered: Answered) -> None:
        """Issue a command like `execute`, without a future: its reply or its failure is passed to `answered`."""
        ...

    def issue_all(self, commands: Sequence[tuple[Argument, ...]], answered: AllAnswered) -> None:
        """Issue some commands, at least one, like `issue`.

        Args:
            commands: The commands.
            answered: Called once, with all replies and failures in the order of the commands, when the last one
                arrived.
        """
        ...

    def script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]
    ) -> Coroutine[None, None, Reply]:
        """Run `script`; its text is sent only if the server does not know it. Raises the errors of `execute`."""
        ...

    def beside(self, wire: Wire) -> Link | None:
        """The connection for commands to the same server as `wire`; None: there is none."""
        ...

    def doubt(self) -> None:
        """Check soon whether the connection is alive, because another one to the server was not."""
        ...

    async def is_heard(self, channel: str) -> bool:
        """Whether a channel that is not sharded has a subscriber."""
        ...

    async def subscribers(self, channel: str) -> int:
        """How many connections subscribe to a channel that is not sharded."""
        ...

    async def keys(self, pattern: str) -> list[str]:
        """All keys that match a pattern, in no order. The time grows with the number of keys of the servers."""
        ...

    async def drain(self) -> None:
        """Wait while the server accepts commands more slowly than they are issued. For callers without replies."""
        ...


async def run_script(link: Link, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Reply:
    """Run a script by its hash, or by its text if the server does not know the hash. Raises the errors of `execute`."""
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


def publish_command(link: Link) -> str:
    """The command with which a script publishes on a channel that begins with ``daebus:``."""
    return "SPUBLISH" if link.sharded else "PUBLISH"
