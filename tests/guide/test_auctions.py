"""What docs/guide.md shows of rooms."""

import json

from tests.guide.auctions import Bid, auctions, bid

from daebus import Daebus, DaebusHttp, DaebusWebSocket
from daebus.testing import running


async def test_the_members_of_a_room_get_the_bids_of_its_auction(daebus_redis_url: str) -> None:
    app = Daebus("auctions")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    app.register_blueprint(auctions)
    async with running(app, redis_url=daebus_redis_url) as service, service.socket(headers={"x-name": "Ada"}) as socket:
        joined = await socket.ask("join", {"room": "auction:7"})
        assert json.loads(bytes(joined.data))["members"][0]["data"] == {"name": "Ada"}
        refused = await socket.ask("join", {"room": "auction:secret"})
        assert json.loads(bytes(refused.data))["code"] == "forbidden"
        await service.call(bid, Bid("8", 100))
        await service.call(bid, Bid("7", 200))
        received = json.loads(await socket.connection.recv())
        assert (received["type"], received["data"], received["offset"]) == ("bid", {"auction": "7", "cents": 200}, 1)
        assert (await socket.ask("cheer", "7")).type == "response"
        outside = await socket.ask("cheer", "8")
        assert json.loads(bytes(outside.data)) == {"error": "You are not in this auction", "code": "forbidden"}
