"""Messages to rooms that no client can join are told, once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from daebus import Daebus, DaebusHttp, DaebusWebSocket, Message, Room
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

AUCTION = Room[None]("auction:{auction}")
BID = Message[int]("bid")
TOLD = "message sent to a room that no client can join, as no running service has a @socket_join for it"


async def test_a_misspelt_room_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    app = Daebus("auctions")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.socket_join(AUCTION)
    async def join(auction: str) -> None: ...

    misspelt = Room[None]("auktion:{auction}")
    async with running(app):
        rooms = app.container.rooms()
        for room in (AUCTION, misspelt, misspelt):
            await rooms.send(room(auction="7"), BID, 3)
        await rooms.send(Room[None]("auction:final")(), BID, 3)
    lines = [cast("dict[str, Any]", one.msg) for one in caplog.records if isinstance(one.msg, dict)]
    told = [line for line in lines if line.get("event") == TOLD]
    assert [(line["room"], line["contract"]) for line in told] == [("auktion:7", "auktion:{auction}")]
    assert told[0]["remedy"] == "did you mean 'auction:{auction}'?"
    assert "test_declared.py:" in str(told[0]["where"])
