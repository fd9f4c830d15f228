"""`LocalRooms`: the rooms of the clients of this replica, and the heartbeat that keeps these members."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.connection.subscriber import Subscriber
from daebus.declare.rooms import Room
from daebus.errors import Unavailable
from daebus.payloads.encodable import Encodable
from daebus.protocol.rooms import Position, room_channel
from daebus.telemetry.logs import Logger

from .local_room import Connection, LocalRoom, Membership
from .store import RoomStore, Snapshot
from .turns import Turns

__all__ = ["Entered", "LocalRooms"]


_PAUSE = 0.5
_AT_ONCE = 100


class _Seat(NamedTuple):
    """What is needed to add a member again after the server has lost it."""

    room: Room[Encodable]
    data: bytes


class Entered(NamedTuple):
    """A client that has joined a room.

    Attributes:
        local: The room.
        membership: The client in it; it gets no messages until it is released.
        snapshot: What the room was like when it joined.
    """

    local: LocalRoom
    membership: Membership
    snapshot: Snapshot


class LocalRooms:
    """The rooms that have members among the clients of this replica.

    Args:
        node: This process.
        logger: Logs what fails.

    Attributes:
        store: The rooms on the server.
    """

    def __init__(self, node: Node, logger: Logger) -> None:
        self.store: RoomStore = RoomStore(node.link, node.id)
        self._subscriber: Subscriber = node.subscriber
        self._timings = node.timings
        self._logger = logger
        self._rooms: dict[str, LocalRoom] = {}
        self._seats: dict[str, dict[str, _Seat]] = {}
        self._owed: dict[tuple[str, str], Room[Encodable]] = {}
        # A script that a restarted server does not know is sent again, after others: joining may overtake leaving.
        self._turns = Turns()
        self._leaving: set[asyncio.Task[object]] = set()
        self._beating: asyncio.Task[None] | None = None
        self._forgotten = asyncio.Event()
        self._contracts: Collection[str] = ()
        self._must_join_again = False
        self._gone: Collection[str] = ()
        self._mending: asyncio.Task[None] | None = None

    def start(self, contracts: Collection[str]) -> None:
        """Start the heartbeat.

        Args:
            contracts: The names of the contracts of the rooms that clients can join here.
        """
        self._contracts = contracts
        self._subscriber.when_resubscribed(self._catch_up)
        self._beating = asyncio.create_task(self._beat(), name="rooms")

    async def stop(self) -> None:
        """Stop. The members must have left."""
        if self._beating is not None:
            tasks = {self._beating} if self._mending is None else {self._beating, self._mending}
            for task in tasks:
                task.cancel()
            await asyncio.wait({*tasks, *self._leaving})
        for local in list(self._rooms.values()):
            await local.stop()
        if not self._owed:  # else other replicas remove these members, once the lease has ended
            with suppress(Unavailable, CommandError):
                await self.store.depart()

    def renew_soon(self) -> None:
        """Check soon whether the server knows the members, as it may have lost them."""
        self._forgotten.set()

    async def enter(
        self,
        room: Room[Encodable],
        name: str,
        client: tuple[str, Connection],
        member: bytes,
        since: Position | None,
    ) -> Entered:
        """Add a client to a room. It gets no messages until its membership is released.

        Args:
            room: The contract.
            name: The name of the room.
            client: The id of the client, and its connection.
            member: What the members see of it, as JSON; empty: nothing.
            since: The position of the last message that it has got.

        Raises:
            Unavailable: The server cannot be reached.
        """
        client_id, connection = client
        local = await self._open(name)
        known = local.members.get(client_id)
        membership = local.members[client_id] = Membership(connection)
        try:
            async with self._turns.turn((name, client_id)), local.lock:
                snapshot = await self.store.join(room, name, client_id, member, since)
                if not local.has_begun:
                    local.begin(snapshot)
                self._seats.setdefault(client_id, {})[name] = _Seat(room, member)
                self._owed.pop((name, client_id), None)
        except BaseException:  # the client may have joined all the same
            if known is None:
                self._owed[name, client_id] = room
                local.members.pop(client_id, None)
                self._do_soon(self._settle(name, client_id))
            else:
                local.members[client_id] = known
            raise
        if snapshot.has_dead:
            self.renew_soon()
        membership.seen, membership.change = snapshot.position, snapshot.change
        return Entered(local, membership, snapshot)

    async def leave(self, name: str, client_id: str) -> bool:
        """Remove a client from a room; returns whether it was in it.

        If the server cannot be reached, it is removed there later.
        """
        if name not in self._seats.get(client_id, ()):
            return False
        self._take_out(name, client_id)
        await self._settle(name, client_id)
        return True

    def others(self, name: str, client_id: str) -> int:
        """How many other rooms a client is in."""
        return len(self._seats.get(client_id, {}).keys() - {name})

    async def leave_all(self, client_id: str) -> None:
        """Remove a client that has gone from all rooms."""
        names = list(self._seats.get(client_id, ()))
        for name in names:  # at once, as the time of a client that has gone is limited
            self._take_out(name, client_id)
        for name in names:
            await self._settle(name, client_id)

    def _take_out(self, name: str, client_id: str) -> None:
        """Remove a client from a room of this replica, and owe it to the server."""
        seats = self._seats[client_id]
        self._owed[name, client_id] = seats.pop(name).room
        if not seats:
            del self._seats[client_id]
        self._rooms[name].members.pop(client_id, None)

    async def _settle(self, name: str, client_id: str) -> None:
        """Remove a client from a room of the server. If that fails, a heartbeat does it."""
        async with self._turns.turn((name, client_id)):
            room = self._owed.get((name, client_id))
            with suppress(Unavailable, CommandError):  # the link logs it
                if room is not None:
                    await self.store.leave(room, name, client_id)
                    self._owed.pop((name, client_id), None)
        if name in self._rooms:
            await self._close(self._rooms[name])

    async def _open(self, name: str) -> LocalRoom:
        """The room, whose messages come here from now on."""
        while True:
            local = self._rooms.get(name)
            if local is None:
                local = self._rooms[name] = LocalRoom(name, self.store, self._remove)
            try:
                async with local.lock:
                    if self._rooms.get(name) is not local:  # it was closed meanwhile
                        continue
                    if local.unsubscribe is None:
                        await self.store.note(name)
                        local.unsubscribe = await self._subscriber.subscribe(room_channel(name), local.receive)
                    return local
            except BaseException:
                await self._close(local)
                raise

    async def _close(self, local: LocalRoom) -> None:
        """Forget a room without members."""
        async with local.lock:
            if local.members or self._rooms.get(local.name) is not local:
                return
            try:
                await local.stop()
                if local.unsubscribe is not None:
                    await local.unsubscribe()
                with suppress(Unavailable, CommandError):
                    await self.store.unnote(local.name)
            finally:
                del self._rooms[local.name]

    def _remove(self, name: str, client_id: str) -> None:
        if name in self._seats.get(client_id, ()):
            self._rooms[name].tell_removed(client_id)
            self._do_soon(self.leave(name, client_id))

    def _do_soon(self, leaving: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(leaving)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _catch_up(self) -> None:
        for local in self._rooms.values():
            local.catch_up()

    async def _beat(self) -> None:
        while True:
            self._forgotten.clear()
            pause = self._timings.room_lease / 3
            try:
                was_unknown, self._gone = await self.store.beat(self._timings.room_lease * 2 / 3)
                self._must_join_again |= was_unknown
                if self._mending is None or self._mending.done():  # not here, as it may take longer than the lease
                    self._mending = asyncio.create_task(self._mend(), name="members of rooms")
            except (Unavailable, CommandError):
                self._logger.debug("the members of rooms could not be renewed", exc_info=True)
                pause = min(pause, _PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._forgotten.wait()

    async def _mend(self) -> None:
        """Make the members on the server those that are there."""
        try:
            await self.store.declare(self._contracts)
            if self._must_join_again:
                await self._join_again()
            await _together(self._settle(name, client_id) for name, client_id in list(self._owed))
            await _together(map(self.store.reap, self._gone))
        except (Unavailable, CommandError):
            self._logger.debug("the members of rooms could not be renewed", exc_info=True)

    async def _join_again(self) -> None:
        """The server has lost this instance, or took it for dead: add its members again."""
        self._must_join_again = False
        seats = [(client_id, name) for client_id, each in self._seats.items() for name in each]
        try:
            await _together(map(self.store.note, list(self._rooms)))
            await _together(self._add_again(name, client_id) for client_id, name in seats)
        except BaseException:
            self._must_join_again = True
            raise
        self._catch_up()

    async def _add_again(self, name: str, client_id: str) -> None:
        async with self._turns.turn((name, client_id)):
            seat = self._seats.get(client_id, {}).get(name)
            if seat is not None:
                await self.store.join(seat.room, name, client_id, seat.data, None, again=True)


async def _together(work: Iterable[Coroutine[object, object, object]]) -> None:
    """Await all, many at a time, so that their commands leave together. Raises what the first one raises."""
    remaining = iter(work)
    while batch := list(islice(remaining, _AT_ONCE)):
        for outcome in await asyncio.gather(*batch, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
