"""The two services of docs/guide.md of which one has what the WebSocket clients of the other are to hear."""

import msgspec

from daebus import Blueprint, Bus, Channel, Clients, Message


class Shipped(msgspec.Struct, tag=True):
    order: str


SHIPMENTS = Channel[Shipped]("shipments", durable=True)
SHIPPED = Message[Shipped]("shipped")

shipping = Blueprint("shipping")
storefront = Blueprint("storefront")


@shipping.action("ship")
async def ship(order: str, *, bus: Bus) -> None:
    await bus.publish(SHIPMENTS, Shipped(order))


@storefront.listen(SHIPMENTS)
async def tell_clients(event: Shipped, *, clients: Clients) -> None:
    await clients.broadcast(SHIPPED, event)
