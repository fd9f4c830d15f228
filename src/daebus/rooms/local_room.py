"""`LocalRoom`: one room as a replica has it, with the members that are connected to this replica.

The messages of the room come over pub/sub. Each has the next offset. If one was missed, as the connection broke, the
messages since then are read from the history, so that each member gets all messages in order, or is told what it lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

import msgspec

from daebus.connection.resp import CommandError
from daebus.errors import Unavailable
from daebus.payloads.codec import UNDECODABLE, encode
from daebus.protocol.envelopes import Envelope
from daebus.protocol.rooms import Position, Recovery

from .store import Kept, RoomStore, Snapshot

__all__ = ["Connection", "LocalRoom", "Membership"]

_PAUSE = 0.5
_MAX_WAITING = 10_000
_NOBODY: Collection[str] = ()

_decode_ids = msgspec.json.Decoder(list[str]).decode
_log = logging.getLogger(__name__)


class Connection(Protocol):
    """The connection of a client."""

    def post(self, text: str) -> None:
        """Send a text, without waiting."""

    def disconnect(self, reason: str) -> None:
        """Disconnect the client, without waiting."""


class Membership:
    """A member that is connected to this replica.

    Args:
        connection: Its connection.

    Attributes:
        seen: The position up to which it needs no messages.
        change: The number of the last change of the members that it knows.
    """

    def __init__(self, connection: Connection) -> None:
        self.seen: Position = Position("", 0)
        self.change: int = 0
        self._connection = connection
        self._waiting: list[tuple[bool, Position, str]] | None = []

    def offer(self, position: Position, text: str, *, is_change: bool = False) -> None:
        """Send a message or a change, unless the member knows it; later, if it has not joined yet."""
        if self._waiting is None:
            if not self._knows(position, is_change=is_change):
                self._connection.post(text)
        elif len(self._waiting) < _MAX_WAITING:
            self._waiting.append((is_change, position, text))
        else:
            self._connection.disconnect("The client reads too slowly.")

    def post(self, text: str) -> None:
        """Send something that has no position, unless the member has not joined yet."""
        if self._waiting is None:
            self._connection.post(text)

    def release(self) -> None:
        """The member has got the answer to its join: send what has waited since then, and all that comes."""
        waiting, self._waiting = self._waiting or (), None
        for is_change, position, text in waiting:
            self.offer(position, text, is_change=is_change)

    def _knows(self, position: Position, *, is_change: bool) -> bool:
        if position.epoch != self.seen.epoch:
            return False
        return position.offset <= (self.change if is_change else self.seen.offset)


class LocalRoom:
    """One room, as this replica has it.

    Args:
        name: The name of the room.
        store: The rooms on the server.
        removed: Called with the name of the room and the id of a client that is to be removed from it.

    Attributes:
        members: The members that are connected here, by the ids of their clients.
        lock: Held while the first member joins, and while the last one leaves.
        unsubscribe: Ends the subscription; None: there is none.
        name: The name of the room.
        has_begun: Whether it is known where its messages begin.
    """

    def __init__(self, name: str, store: RoomStore, removed: Callable[[str, str], None]) -> None:
        self.members: dict[str, Membership] = {}
        self.lock: asyncio.Lock = asyncio.Lock()
        self.unsubscribe: Callable[[], Awaitable[None]] | None = None
        self.name: str = name
        self._store = store
        self._removed = removed
        self._position = Position("", 0)
        self._change = 0
        self.has_begun: bool = False
        self._reading: asyncio.Task[None] | None = None
        self._later: list[tuple[str, Position, bytes]] = []
        self._ending = f',"room":{encode(name).decode()}'

    def begin(self, snapshot: Snapshot) -> None:
        """Start with the messages after a snapshot that is of later than the subscription."""
        self._position, self._change = snapshot.position, snapshot.change
        self.has_begun = True
        self._go_on()

    def receive(self, payload: bytes) -> None:
        """Handle what comes on the channel of the room."""
        try:
            kind, epoch, number, said = payload.split(b" ", 3)
            self._take(kind.decode(), Position(epoch.decode(), int(number)), said)
        except (*UNDECODABLE, ValueError) as error:
            _log.warning("A message of the room %s is not from a replica: %s", self.name, error)

    def tell_removed(self, client_id: str) -> None:
        """Tell a client that it is no longer a member."""
        self.members[client_id].post(self._notice("removed", b"null"))

    def catch_up(self) -> None:
        """Read what may have been missed."""
        if self._reading is None and self.has_begun:
            self._reading = asyncio.create_task(self._read(), name=f"room {self.name}")

    async def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    def _take(self, kind: str, position: Position, said: bytes) -> None:
        if kind == "r":
            self._removed(self.name, said.decode())
        elif kind == "t":
            to, _, envelope = said.partition(b" ")
            text = self._text(envelope, None)
            for client_id in _decode_ids(to):
                if (member := self.members.get(client_id)) is not None:
                    member.post(text)
        elif kind == "v":
            but, _, envelope = said.partition(b" ")
            without, text = _without(but), self._text(envelope, None)
            for client_id, member in self.members.items():
                if client_id not in without:
                    member.post(text)
        elif self._reading is not None or not self.has_begun:
            self._later.append((kind, position, said))
        elif kind == "p":
            self._take_change(position, said)
        else:
            self._take_message(position, said)

    def _take_message(self, position: Position, said: bytes) -> None:
        known = self._position
        if position.epoch == known.epoch and position.offset <= known.offset:
            return
        if position.epoch != known.epoch or position.offset != known.offset + 1:
            self.catch_up()
            return
        but, _, envelope = said.partition(b" ")
        self._pass_on(position, but, envelope)

    def _take_change(self, position: Position, said: bytes) -> None:
        if position.epoch != self._position.epoch:
            self.catch_up()
        elif position.offset == self._change + 1:
            self._change = position.offset
            text = self._notice("presence", said)
            for member in self.members.values():
                member.offer(position, text, is_change=True)
        elif position.offset > self._change:
            self.catch_up()

    def _pass_on(self, position: Position, but: bytes, envelope: bytes) -> None:
        self._position = position
        without = _without(but)
        text = self._text(envelope, position)
        for client_id, member in self.members.items():
            if client_id in without:
                member.offer(position, self._notice("offset", encode(position)))
            else:
                member.offer(position, text)

    async def _read(self) -> None:
        """Read what was missed, and pass it on; repeated until it succeeds."""
        while True:
            try:
                snapshot = await self._store.read(self.name, self._position)
                break
            except (Unavailable, CommandError):
                await asyncio.sleep(_PAUSE)
        self._make_up(snapshot)
        self._reading = None
        self._go_on()

    def _go_on(self) -> None:
        later, self._later = self._later, []
        for kind, position, said in later:
            self._take(kind, position, said)

    def _make_up(self, snapshot: Snapshot) -> None:
        before, epoch = self._position, snapshot.epoch
        if not epoch:  # the data was lost; the next message, or the members who join again, begin an epoch
            return
        recovery = snapshot.recovery(before)
        if recovery != "full":
            told = self._notice("recovered", encode(_Recovered(recovery, epoch, snapshot.start)))
            for member in self.members.values():
                member.offer(Position(epoch, snapshot.start + bool(snapshot.kept)), told)
        for kept in snapshot.kept:
            self._pass_on(Position(epoch, kept.offset), kept.but, kept.envelope)
        self._position = snapshot.position
        if snapshot.change != self._change or (snapshot.change and epoch != before.epoch):
            self._change = snapshot.change
            text = self._notice("presence", b'{"members":[' + b",".join(snapshot.members) + b"]}")
            for member in self.members.values():
                member.offer(Position(epoch, snapshot.change), text, is_change=True)

    def text_of(self, epoch: str, kept: Kept) -> str:
        """A message that is kept, as members get it."""
        return self._text(kept.envelope, Position(epoch, kept.offset))

    def _text(self, envelope: bytes, position: Position | None) -> str:
        at = "" if position is None else f',"epoch":"{position.epoch}","offset":{position.offset}'
        return f"{envelope.decode()[:-1]}{self._ending}{at}}}"

    def _notice(self, kind: str, data: bytes) -> str:
        return self._text(encode(Envelope(kind, msgspec.Raw(data))), None)


def _without(but: bytes) -> Collection[str]:
    return _NOBODY if but == b"[]" else _decode_ids(but)


class _Recovered(msgspec.Struct, frozen=True):
    """The data of ``recovered``: what the members missed, and the position from which they get all messages again."""

    recovered: Recovery
    epoch: str
    offset: int
