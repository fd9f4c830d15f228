"""A service with a component of its own: a port on which its numbers are read."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dependency_injector import providers

from daebus import Blueprint, Daebus, ServiceContainer, ServiceRun


class Container(ServiceContainer):
    sold: providers.Singleton[Counter[str]] = providers.Singleton(Counter)


shop = Blueprint("shop", services=Container)


@shop.action("sell")
async def sell(what: str, *, sold: Counter[str]) -> int:
    sold[what] += 1
    return sold[what]


class MetricsPort:
    def __init__(self, port: int, sold: providers.Provider[Counter[str]]) -> None:
        self.port = port
        self._sold = sold

    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        sold = self._sold()

        async def answer(reader: StreamReader, writer: StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            lines = [f'sold{{service="{run.service}",what="{what}"}} {count}\n' for what, count in sold.items()]
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + "".join(lines).encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", self.port)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            run.logger.info("metrics are read", port=self.port)
            yield


app = Daebus("shop", container=Container())
app.register_blueprint(shop)
metrics = MetricsPort(9100, app.container.sold)
app.attach(metrics)
