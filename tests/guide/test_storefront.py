"""What docs/guide.md promises of clients that hear of what another service does."""

import msgspec
from tests.guide.storefront import Shipped, ship, shipping, storefront

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket
from daebus.testing import running


def replica() -> Daebus:
    greeting = Blueprint("greeting")

    @greeting.socket("ping")
    async def ping(data: None, client: Client) -> str:
        return client.id

    app = Daebus("storefront")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    app.register_blueprint(storefront)
    app.register_blueprint(greeting)
    return app


async def test_each_client_of_two_replicas_hears_of_each_event_once(daebus_redis_url: str) -> None:
    elsewhere = Daebus("shipping")
    elsewhere.register_blueprint(shipping)
    async with (
        running(replica(), redis_url=daebus_redis_url) as first,
        running(replica(), redis_url=daebus_redis_url) as second,
        running(elsewhere, redis_url=daebus_redis_url) as other,
        first.socket() as one,
        second.socket() as two,
    ):
        for client in (one, two):
            await client.ask("ping")
        orders = {f"o{number}" for number in range(20)}
        for order in orders:
            await other.call(ship, order)
        for client in (one, two):
            heard = [msgspec.json.decode((await client.receive()).data, type=Shipped).order for _ in orders]
            assert set(heard) == orders  # so none twice
