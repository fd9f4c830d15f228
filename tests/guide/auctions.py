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
CHEER = Message[Watcher]("cheer")

auctions = Blueprint("auctions")


@auctions.socket_join(AUCTION)
async def watch(auction: str, client: Client) -> Watcher:
    if auction == "secret":
        raise Forbidden("This auction is private")
    return Watcher(client.headers.get("x-name", "somebody"))


@auctions.action("bid")
async def bid(bid: Bid, *, rooms: Rooms) -> None:
    await rooms.send(AUCTION(auction=bid.auction), BID, bid)


@auctions.socket("cheer")
async def cheer(auction: str, client: Client, *, rooms: Rooms) -> None:
    room = AUCTION(auction=auction)
    watcher = next((member.data for member in await rooms.members(room) if member.id == client.id), None)
    if watcher is None:
        raise Forbidden("You are not in this auction")
    await rooms.send(room, CHEER, watcher, but=client.id, kept=False)
