"""A service whose database says whether it is well."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator

from dependency_injector import providers

from daebus import Daebus, DaebusHttp, ServiceContainer


class Database:
    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, check_same_thread=False)

    async def check_health(self) -> None:
        """Raises an exception if the database does not answer."""
        await asyncio.to_thread(self.connection.execute, "SELECT 1")


async def open_database(path: str) -> AsyncGenerator[Database]:
    database = Database(path)
    yield database
    database.connection.close()


class Container(ServiceContainer):
    database = providers.Resource(open_database, "stock.db")


app = Daebus("stock", container=Container())
app.attach(DaebusHttp())
