"""Pages: WebSocket clients of rooms that come back after each disconnection, and check all that they get."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from tests.chaos.rooms_service import PAGE
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

__all__ = ["Page", "Totals"]

_BACKOFF, _LONGEST_BACKOFF = 0.1, 2.0


class _Message(msgspec.Struct):
    type: str
    data: msgspec.Raw
    id: str | int | None = None
    epoch: str = ""
    offset: int = 0


class _Member(msgspec.Struct):
    id: str
    data: str


class _Presence(msgspec.Struct):
    joined: list[_Member] = []
    left: list[str] = []
    members: list[_Member] | None = None


class _Joined(msgspec.Struct):
    epoch: str = ""
    offset: int = 0
    members: list[_Member] = []
    recovered: str | None = None
    error: object = None


class _Resumed(msgspec.Struct):
    rooms: dict[str, _Joined]


_read = msgspec.json.Decoder(_Message).decode
_read_presence = msgspec.json.Decoder(_Presence).decode
_read_joined = msgspec.json.Decoder(_Joined).decode
_read_resumed = msgspec.json.Decoder(_Resumed).decode
_write = msgspec.json.encode


class Totals:
    """What all pages have counted.

    Attributes:
        recoveries: What pages were told when they came back: full, partial, lost.
        wrong: Violations of what is promised, by kind, with the first examples.
        acked: The numbers whose ``say`` was answered.
        refused: How many were answered with an error.
        delivered: How many messages came.
        away: The longest time for which a page was in no room, in seconds.
        gone: When each connection ended, by what members saw of it.
    """

    def __init__(self) -> None:
        self.recoveries: Counter[str] = Counter()
        self.wrong: dict[str, list[str]] = {}
        self.acked: set[int] = set()
        self.refused = 0
        self.delivered = 0
        self.away = 0.0
        self.gone: dict[str, float] = {}

    def blame(self, kind: str, example: str) -> None:
        self.wrong.setdefault(kind, []).append(example)


class Page:
    """One client.

    Attributes:
        shown: What other members see of its present connection.
        since: When it joined its room with this connection; None: it is not in it.
        view: The members that it sees, by the ids of their clients.
        got: The offsets and the numbers of all messages, one after the other.
        epoch: The epoch of the last message.
        offset: The offset of the last message.
    """

    def __init__(self, number: int, room: int, ports: Callable[[], list[int]], totals: Totals) -> None:
        self.number = number
        self.room = room
        self.since: float | None = None
        self.view: dict[str, str] = {}
        self.got = array("q")
        self.epoch = ""
        self.offset = 0
        self._ports = ports
        self._totals = totals
        self._connections = 0
        self._socket: ClientConnection | None = None
        self._away_since = time.monotonic()

    @property
    def shown(self) -> str:
        return f"{self.number}.{self._connections}"

    async def run(self) -> None:
        """Be connected, until cancelled."""
        backoff = _BACKOFF
        while True:
            await asyncio.sleep(random.uniform(0, backoff))
            backoff = min(2 * backoff, _LONGEST_BACKOFF)
            if not (ports := self._ports()):
                continue
            self._connections += 1
            url = f"ws://127.0.0.1:{random.choice(ports)}/ws"
            options: dict[str, Any] = {"compression": None, "proxy": None, "ping_interval": None, "max_size": None}
            with suppress(OSError, TimeoutError, InvalidHandshake, ConnectionClosed):
                async with connect(url, additional_headers={PAGE: self.shown}, **options) as self._socket:
                    await self._join()
                    async for text in self._socket:
                        await self._take(_read(text))
                        if self.since is not None:
                            backoff = _BACKOFF
            self._totals.gone[self.shown] = time.monotonic()
            if self.since is not None:
                self._away_since = time.monotonic()
            self.since, self._socket, self.view = None, None, {}

    async def say(self, number: int) -> None:
        """Send a number to the room."""
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._send("say", {"room": self.room, "number": number}, number)

    async def _send(self, kind: str, data: object, message_id: str | int) -> None:
        assert self._socket is not None
        await self._socket.send(_write({"type": kind, "data": data, "id": message_id}).decode())

    async def _join(self) -> None:
        name = f"chaos:{self.room}"
        if self.epoch:
            await self._send("resume", {"rooms": {name: {"epoch": self.epoch, "offset": self.offset}}}, "resume")
        else:
            await self._send("join", {"room": name}, "join")

    async def _take(self, message: _Message) -> None:
        match message.type:
            case "said":
                self._totals.delivered += 1
                self._take_number(message.epoch, message.offset, int(bytes(message.data)))
            case "presence":
                self._take_presence(_read_presence(message.data))
            case "recovered":
                self._take_position(_read_joined(message.data))
            case "response" if message.id == "join":
                self._enter(_read_joined(message.data))
            case "response" if message.id == "resume":
                joined = _read_resumed(message.data).rooms[f"chaos:{self.room}"]
                if joined.error is None:
                    self._enter(joined)
                else:
                    await self._retry()
            case "error" if message.id in ("join", "resume"):
                await self._retry()
            case "response" if isinstance(message.id, int):
                self._totals.acked.add(message.id)
            case "error":
                self._totals.refused += 1
            case other:
                self._totals.blame("a strange message", other)

    async def _retry(self) -> None:
        """The room cannot be reached now."""
        await asyncio.sleep(_BACKOFF)
        await self._join()

    def _enter(self, joined: _Joined) -> None:
        if joined.recovered is None:
            self.epoch, self.offset = joined.epoch, joined.offset
        else:
            self._take_position(joined)
        self.view = {member.id: member.data for member in joined.members}
        self.since = time.monotonic()
        self._totals.away = max(self._totals.away, self.since - self._away_since)

    def _take_position(self, told: _Joined) -> None:
        """The page was told what it gets of what was missed."""
        recovered = str(told.recovered)
        self._totals.recoveries[recovered] += 1
        if recovered == "full" and (told.epoch, told.offset) != (self.epoch, self.offset):
            has = f"{self.epoch}:{self.offset}"
            self._totals.blame("full, from another position", f"{self.shown} has {has}, {told.epoch}:{told.offset}")
        if told.epoch != self.epoch:  # its offsets begin again
            self.got = array("q")
        self.epoch, self.offset = told.epoch, told.offset

    def _take_number(self, epoch: str, offset: int, number: int) -> None:
        if (epoch, offset) != (self.epoch, self.offset + 1):
            kind = "repeated or out of order" if epoch == self.epoch and offset <= self.offset else "missed, not told"
            after = f"{self.epoch}:{self.offset}"
            self._totals.blame(kind, f"{self.shown} in {self.room} got {epoch}:{offset} after {after}")
        self.epoch, self.offset = epoch, offset
        self.got.extend((offset, number))

    def _take_presence(self, told: _Presence) -> None:
        if told.members is not None:
            self.view = {member.id: member.data for member in told.members}
        for member in told.joined:
            self.view[member.id] = member.data
        for client_id in told.left:
            self.view.pop(client_id, None)
