"""`LocalRooms`: what the server has of the members of a replica, whatever interrupts them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from tests.support import raw_redis, until

from daebus import Room
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.connection.resp import CommandError
from daebus.core.timings import Timings
from daebus.rooms.local_rooms import LocalRooms
from daebus.rooms.store import RoomStore
from daebus.rooms.turns import Turns
from daebus.telemetry.logs import make_logger

LOBBY = Room[str]("lobby")


class Nobody:
    """A connection; `got` has what it was sent."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def post(self, text: str) -> None:
        self.got.append(text)

    def disconnect(self, reason: str) -> None: ...


async def test_a_client_that_goes_while_it_joins_is_no_member(daebus_redis_url: str) -> None:
    """After any number of steps of the join."""
    server = RedisServer.from_url(daebus_redis_url, timings=Timings(room_lease=0.6))
    async with open_node(server) as node:
        rooms = LocalRooms(node, make_logger())
        rooms.start(["lobby"])
        finished = 0
        for steps in range(60):
            client_id = f"{node.id}-{steps}"
            member = f'{{"id":"{client_id}"}}'.encode()
            joining = asyncio.create_task(rooms.enter(LOBBY, "lobby", (client_id, Nobody()), member, None))
            for _ in range(steps):
                await asyncio.sleep(0)
            joining.cancel()
            with suppress(asyncio.CancelledError):
                await joining
            finished += not joining.cancelled()
            await rooms.leave_all(client_id)

        async def is_empty() -> bool:
            return not await rooms.store.members("lobby")

        await until(is_empty)
        assert not await node.link.execute("EXISTS", "daebus:{room:lobby}:members")
        assert 0 < finished < 60
        await rooms.stop()


async def test_a_client_whose_join_the_server_forbids_is_no_member(daebus_redis_url: str) -> None:
    async with raw_redis(daebus_redis_url) as admin:
        await admin.execute_command("ACL", "SETUSER", "mute", "on", "nopass", "~*", "&*", "+@all", "-publish")
        server = RedisServer.from_url(daebus_redis_url.replace("://", "://mute:x@", 1))
        async with open_node(server) as node:
            rooms = LocalRooms(node, make_logger())
            rooms.start(["lobby"])
            with pytest.raises(CommandError, match="permission"):
                await rooms.enter(LOBBY, "lobby", (f"{node.id}-1", Nobody()), b'{"id":"1"}', None)
            assert not await admin.exists("daebus:{room:lobby}:members")
            await rooms.stop()
        await admin.execute_command("ACL", "DELUSER", "mute")


async def test_a_replica_that_counted_as_dead_by_mistake_tells_of_its_members_again(daebus_redis_url: str) -> None:
    server = RedisServer.from_url(daebus_redis_url, timings=Timings(room_lease=60))
    async with open_node(server) as one, open_node(server) as two, raw_redis(daebus_redis_url) as admin:
        frozen, other = LocalRooms(one, make_logger()), LocalRooms(two, make_logger())
        for rooms in (frozen, other):
            rooms.start(["lobby"])
        member, page = b'{"id":"frozen"}', Nobody()
        await frozen.enter(LOBBY, "lobby", (f"{one.id}-1", Nobody()), member, None)
        await admin.zadd("daebus:rooms:instances", {one.id: 1})
        entered = await other.enter(LOBBY, "lobby", (f"{two.id}-1", page), b'{"id":"page"}', None)
        assert entered.snapshot.members == [b'{"id":"page"}']
        entered.membership.release()
        frozen.renew_soon()
        await until(lambda: any('{"joined":[{"id":"frozen"}]}' in text for text in page.got))
        for rooms, node in ((frozen, one), (other, two)):
            await rooms.leave_all(f"{node.id}-1")
            await rooms.stop()


async def test_a_heartbeat_that_comes_late_says_that_nobody_is_gone(daebus_redis_url: str) -> None:
    """The server may have been away, so that all come late."""
    server = RedisServer.from_url(daebus_redis_url)
    async with open_node(server) as one, open_node(server) as two, raw_redis(daebus_redis_url) as admin:
        stores = [RoomStore(node.link, node.id) for node in (one, two)]
        assert [await store.beat(60) for store in stores] == [(True, []), (True, [])]
        seconds, _ = await admin.time()
        await admin.zadd("daebus:rooms:instances", {one.id: 1, two.id: (seconds + 10) * 1000})
        assert await stores[1].beat(60) == (False, [])
        assert await stores[1].beat(60) == (False, [one.id])
        await admin.delete("daebus:rooms:instances")


async def test_heartbeats_go_on_while_members_join_again(
    daebus_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisServer.from_url(daebus_redis_url, timings=Timings(room_lease=0.6))
    async with open_node(server) as node, raw_redis(daebus_redis_url) as admin:
        rooms, may_join = LocalRooms(node, make_logger()), asyncio.Event()
        joins: list[str] = []
        rooms.start(["lobby"])
        await rooms.enter(LOBBY, "lobby", (f"{node.id}-1", Nobody()), b'{"id":"1"}', None)

        async def join(*_: object, **__: object) -> None:
            joins.append("again")
            await may_join.wait()

        monkeypatch.setattr(rooms.store, "join", join)
        await admin.zrem("daebus:rooms:instances", node.id)
        await until(lambda: joins)
        before = await admin.zscore("daebus:rooms:instances", node.id)

        async def has_beaten() -> bool:
            return bool(await admin.zscore("daebus:rooms:instances", node.id) > before + 500)

        await until(has_beaten)
        may_join.set()
        await rooms.leave_all(f"{node.id}-1")
        await rooms.stop()


class Held:
    """A method of the store that waits: what it does, other commands may overtake, as after a restart of the server."""

    def __init__(self, method: Any) -> None:
        self._method = method
        self.begun, self.gate = asyncio.Event(), asyncio.Event()

    async def __call__(self, *args: Any, **options: Any) -> Any:
        self.begun.set()
        await self.gate.wait()
        return await self._method(*args, **options)


async def test_a_client_that_joins_while_its_leaving_is_on_its_way_is_a_member(
    daebus_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_node(RedisServer.from_url(daebus_redis_url)) as node:
        rooms, client_id = LocalRooms(node, make_logger()), f"{node.id}-1"
        rooms.start(["lobby"])
        client = client_id, Nobody()
        await rooms.enter(LOBBY, "lobby", client, b'{"id":1}', None)
        leave = Held(rooms.store.leave)
        monkeypatch.setattr(rooms.store, "leave", leave)
        leaving = asyncio.create_task(rooms.leave("lobby", client_id))
        await leave.begun.wait()
        joining = asyncio.create_task(rooms.enter(LOBBY, "lobby", client, b'{"id":1}', None))
        await asyncio.sleep(0.05)  # it must not have joined before
        leave.gate.set()
        await asyncio.gather(leaving, joining)
        assert await rooms.store.members("lobby") == [b'{"id":1}']
        await rooms.leave_all(client_id)
        assert await rooms.store.members("lobby") == []
        await rooms.stop()


async def test_a_client_that_leaves_while_the_server_is_told_of_it_again_is_no_member(
    daebus_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_node(RedisServer.from_url(daebus_redis_url, timings=Timings(room_lease=0.6))) as node:
        rooms, client_id = LocalRooms(node, make_logger()), f"{node.id}-1"
        rooms.start(["lobby"])
        await rooms.enter(LOBBY, "lobby", (client_id, Nobody()), b'{"id":1}', None)
        join = Held(rooms.store.join)
        monkeypatch.setattr(rooms.store, "join", join)
        await rooms.store.depart()  # the server has lost the replica
        rooms.renew_soon()
        await join.begun.wait()
        leaving = asyncio.create_task(rooms.leave_all(client_id))
        await asyncio.sleep(0.05)  # it must not have left before
        join.gate.set()
        await leaving
        assert await rooms.store.members("lobby") == []
        await rooms.stop()


async def test_who_waits_for_its_turn_and_gives_up_lets_nobody_pass_who_comes_later() -> None:
    turns, done = Turns(), list[str]()
    gate = asyncio.Event()

    async def work(name: str) -> None:
        async with turns.turn("key"):
            if name == "first":
                await gate.wait()
            done.append(name)

    tasks = {name: asyncio.create_task(work(name)) for name in ("first", "second", "third")}
    await asyncio.sleep(0)
    tasks["second"].cancel()
    await asyncio.wait({tasks["second"]})
    await asyncio.sleep(0.01)
    assert done == []
    gate.set()
    await asyncio.gather(tasks["first"], tasks["third"])
    assert done == ["first", "third"]
    async with asyncio.timeout(5), turns.turn("key"):
        assert len(vars(turns)["_last"]) == 1
    assert vars(turns)["_last"] == {}
