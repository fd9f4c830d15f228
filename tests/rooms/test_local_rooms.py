"""`LocalRooms`: what the server has of the members of a replica, whatever interrupts them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support import until

from daebus import Room
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.timings import Timings
from daebus.rooms.local_rooms import LocalRooms
from daebus.telemetry.logs import make_logger

LOBBY = Room[str]("lobby")


class Nobody:
    def post(self, text: str) -> None: ...

    def disconnect(self, reason: str) -> None: ...


async def test_a_client_that_goes_while_it_joins_is_no_member(daebus_redis_url: str) -> None:
    """After any number of steps of the join."""
    server = RedisServer.from_url(daebus_redis_url, timings=Timings(room_lease=0.6))
    async with open_node(server) as node:
        rooms = LocalRooms(node, make_logger())
        rooms.start()
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
