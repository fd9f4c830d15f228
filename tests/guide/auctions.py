"""The auctions of docs/guide.md, "Rooms"."""

from datetime import timedelta

import msgspec

from daebus import Blueprint, Client, Message, Room, Rooms
from daebus.errors import Forbidden


class Watcher(msgspec.Struct):
    name: str


class Bid(msgspec.Struct):
    auction: str
    cents: int


AUCTION = Room[Watcher]("auction:{auction}", history=1000, keep=timedelta(minutes=10))
BID = Message[Bid]("bid")

auctions = Blueprint("auctions")


@auctions.socket_join(AUCTION)
async def watch(auction: str, client: Client) -> Watcher:
    if auction == "secret":
        raise Forbidden("This auction is private")
    return Watcher(client.headers.get("x-name", "somebody"))


@auctions.action("bid")
async def bid(bid: Bid, *, rooms: Rooms) -> None:
    await rooms.send(AUCTION(auction=bid.auction), BID, bid)
