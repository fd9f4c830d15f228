"""One open connection: the commands of a tick are sent in one write, and replies are matched in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from daebus.errors import Unavailable

from .outages import NotSent, ServerUnavailable
from .redis_server import RedisServer
from .resp import INCOMPLETE, Argument, CommandError, Displaced, Reply, pack, reply_reader
from .session import Session

__all__ = ["AllAnswered", "Answered", "Wire", "fulfil"]

Answered = Callable[[Reply], None]
"""Receives the reply to a command, or its failure as an exception. Must be quick: it runs in the connection's reads."""

AllAnswered = Callable[[list[Reply]], None]
"""Receives the replies to some commands, in their order; failures are exceptions. It must be quick."""

_FLUSH_SECONDS = 1.0
_HIGH_WATER = 1 << 20


class Wire(asyncio.Protocol):
    """One open connection. It does not reconnect. Its opener closes it, even if it is lost.

    Attributes:
        lost: Completed once the connection is gone.
        broken: Why no more commands are accepted, one sentence; None while the connection works.
    """

    def __init__(self, session: Session, *, patience: float | None, divert: Callable[[Reply], bool] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._session = session
        self._address = session.address
        self._patience = patience
        self._divert = divert
        self._reader = reply_reader(session.address, self._displaced)
        self._unsent: list[bytes] = []
        self._held = 0
        self._pending: deque[Answered] = deque()
        self._writable = asyncio.Event()
        self._writable.set()
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self.broken: str | None = None
        self.lost: asyncio.Future[None] = self._loop.create_future()
        session.transport.set_protocol(self)
        session.transport.set_write_buffer_limits(high=_HIGH_WATER)

    @classmethod
    async def open(
        cls,
        server: RedisServer,
        *,
        key: str | None = None,
        patience: float | None = None,
        divert: Callable[[Reply], bool] | None = None,
    ) -> Wire:
        """Connect. Raises `Unavailable`.

        Args:
            server: The server.
            key: On a cluster, the connection goes to the node that has this key.
            patience: Seconds without a byte from the server, while replies are due, after which the connection counts
                as dead; None: no limit.
            divert: Sees each reply first; if it returns True, the reply is no answer to a command.
        """
        return cls(await server.connect(key), patience=patience, divert=divert)

    @property
    def address(self) -> str:
        """The server, for messages."""
        return self._address

    @property
    def client_id(self) -> int:
        """The server's id for this connection."""
        return self._session.greeting.client_id

    @property
    def silence(self) -> float:
        """Seconds since the server last sent something, if replies are due; else 0."""
        return self._loop.time() - self._heard if self._owes else 0.0

    @property
    def _owes(self) -> bool:
        """Whether the server has commands that it has not answered."""
        return len(self._pending) > len(self._unsent)

    def execute(self, command: tuple[Argument, ...]) -> asyncio.Future[Reply]:
        """Issue a command. The future may be cancelled; it fails with `CommandError` or `Unavailable`.

        Raises `TypeError` at once for a value that is no `Argument`.
        """
        future: asyncio.Future[Reply] = self._loop.create_future()
        self.issue(command, partial(fulfil, future, command))
        return future

    def issue(self, command: tuple[Argument, ...], answered: Answered) -> None:
        """Issue a command; `answered` is called exactly once, and may be called at once if the wire is broken.

        Raises `TypeError` at once for a value that is no `Argument`.
        """
        if self.broken is not None:
            answered(NotSent(self.broken))
            return
        packed = pack(command)
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(packed)
        self._held += len(packed)
        self._pending.append(answered)

    def issue_all(self, commands: Sequence[tuple[Argument, ...]], answered: AllAnswered) -> None:
        """Issue some commands, at least one, like `issue`; `answered` is called once, when the last is answered."""
        if self.broken is not None:
            answered([NotSent(self.broken)] * len(commands))
            return
        packed = list(map(pack, commands))
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += packed
        self._held += sum(map(len, packed))
        replies: list[Reply] = []
        self._pending.extend([replies.append] * (len(packed) - 1))
        self._pending.append(partial(_complete, replies, answered))

    async def drain(self) -> None:
        """Wait while the server accepts commands more slowly than they are issued."""
        if self._held > _HIGH_WATER:
            await asyncio.sleep(0)  # what this tick issued leaves first
        await self._writable.wait()

    def drop(self, reason: str) -> None:
        """Break the connection at once; commands in flight fail with `Unavailable` for this `reason`."""
        if self.broken is None:
            self.broken = f"The connection to the server at {self._address} was dropped: {reason.rstrip('.')}."
            self._session.transport.abort()

    async def close(self) -> None:
        """Send the issued commands, then close. Commands without an answer by then fail with `Unavailable`."""
        self._flush()
        if self.broken is None:
            self.broken = f"The connection to the server at {self._address} is closed."
        try:
            await self._session.close()
            await asyncio.wait({self.lost}, timeout=_FLUSH_SECONDS)
        finally:
            self._session.transport.abort()
        await asyncio.wait({self.lost})

    def data_received(self, data: bytes) -> None:
        """Dispatch the replies in `data`."""
        self._heard = self._loop.time()
        reader, pending, divert = self._reader, self._pending, self._divert
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not INCOMPLETE:
                if divert is not None and divert(reply):
                    continue
                if not pending:
                    self.drop("it sent a reply to no command")
                    return
                pending.popleft()(reply)
        except Unavailable as error:
            self.drop(str(error))

    def _displaced(self, error: Displaced) -> None:
        if error.target is None:  # a replica now. Not at once: this is called in the middle of the replies
            self._loop.call_soon(self.drop, str(error))

    def pause_writing(self) -> None:
        """The server does not keep up: hold commands back."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The server has caught up."""
        self._writable.set()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all commands in flight."""
        if self.broken is None:
            why = f" ({exc})" if exc else ""
            self.broken = f"The connection to the server at {self._address} broke{why}."
        if self._watch is not None:
            self._watch.cancel()
        self._unsent.clear()
        while self._pending:
            self._pending.popleft()(ServerUnavailable(self.broken))
        self._writable.set()
        if not self.lost.done():
            self.lost.set_result(None)

    def _flush(self) -> None:
        if not self._unsent or not self._writable.is_set() or self.broken is not None:
            return
        if len(self._pending) == len(self._unsent):  # it owed nothing
            self._heard = self._loop.time()
        self._session.transport.write(b"".join(self._unsent))
        self._unsent.clear()
        self._held = 0
        if self._watch is None and self._patience is not None:
            self._watch = self._loop.call_later(self._patience, self._look, self._patience)

    def _look(self, patience: float) -> None:
        self._watch = None
        if not self._owes:  # what this tick issued gets its own watch when it leaves
            return
        left = self._heard + patience - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look, patience)
        else:
            self.drop(f"it owes replies and sent nothing for {patience:g} s")


def _complete(replies: list[Reply], answered: AllAnswered, last: Reply) -> None:
    replies.append(last)
    answered(replies)


def fulfil(future: asyncio.Future[Reply], command: tuple[Argument, ...], reply: Reply) -> None:
    """Set the result of a future to the reply to a command."""
    if future.done():  # its caller was cancelled
        return
    if isinstance(reply, CommandError):
        reply = reply.explained(command)
    if isinstance(reply, Exception):
        future.set_exception(reply)
    else:
        future.set_result(reply)
