"""A payload one of whose fields, in a struct inside it, has no JSON form."""

import threading

import msgspec
from daebus import Blueprint, Daebus


class Place(msgspec.Struct):
    name: str
    # wrong
    lock: threading.Event
    # right
    lock: bool


class Booking(msgspec.Struct):
    id: str
    place: Place


users = Blueprint("users")


@users.action("book")
# ! registration undecodable: book(booking: Booking): it cannot be decoded from JSON: Event has no JSON form; use a msgspec.Struct, a dataclass, or what msgspec supports; put a bare * before 'booking' if it is a service
async def book(booking: Booking) -> str:
    return booking.place.name


app = Daebus("users")
app.register_blueprint(users)
