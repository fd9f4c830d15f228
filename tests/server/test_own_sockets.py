"""The connections of many clients that come at once, as when another replica has died, are found in one search."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, cast

from tests.server.test_sockets_limits import HANDSHAKE, Raw, heard
from tests.support import until

from daebus.core.budgets import Budget
from daebus.server.limits import ServerLimits
from daebus.server.own_sockets import OwnSockets
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

CLIENTS = 200


class Waiting:
    """An application that accepts nobody until the gate is open, and tells each client its own port."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.arrived = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.arrived += 1
        await self.gate.wait()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(scope["client"][1])})
        while (await receive())["type"] != "websocket.disconnect":
            pass


async def test_clients_that_come_at_once_are_found_in_one_search_and_not_mistaken_for_each_other() -> None:
    app = Waiting()
    limits = ServerLimits()
    server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger(), limits=limits, budget=Budget(1 << 26))
    port = await server.start()
    own = cast("OwnSockets", cast("Any", server)._own)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop, 1)
        clients: list[Raw] = []
        for _ in range(CLIENTS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.transport.abort)
            writer.write(HANDSHAKE)
            clients.append((reader, writer))
        await until(lambda: app.arrived == CLIENTS)
        app.gate.set()
        for reader, writer in clients:
            await reader.readuntil(b"\r\n\r\n")
            assert (await heard(reader))[1] == str(writer.get_extra_info("sockname")[1]).encode()
        assert own.searches == 1
        late_reader, late_writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(late_writer.transport.abort)
        late_writer.write(HANDSHAKE)
        await late_reader.readuntil(b"\r\n\r\n")
        assert (await heard(late_reader))[1] == str(late_writer.get_extra_info("sockname")[1]).encode()
        assert len(cast("Any", server)._sockets._open) == CLIENTS + 1
