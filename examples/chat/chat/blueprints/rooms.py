"""Rooms: who is in them, what is said, and who types."""

from typing import Annotated

from litestar.params import QueryParameter

from chat.archive import Archive
from chat.container import Container
from chat.contracts import (
    CHAT,
    POST,
    POSTED,
    ROOM_OPENED,
    TYPES,
    History,
    NewPost,
    NewRoom,
    Post,
    RoomInfo,
    User,
)
from daebus import Blueprint, Bus, Client, Clients, Rooms
from daebus.errors import Conflict, Forbidden, NotFound

talk = Blueprint("rooms", prefix="/api", services=Container)


@talk.on_start()
async def open_first_rooms(*, archive: Archive) -> None:
    await archive.open_first_rooms()


@talk.route("/rooms")
async def list_rooms(*, user: User, archive: Archive) -> list[RoomInfo]:
    return await archive.rooms()


@talk.route("/rooms", methods=["POST"], status_code=201, raises=[Conflict])
async def open_room(data: NewRoom, *, user: User, archive: Archive, clients: Clients) -> RoomInfo:
    room = await archive.open_room(data.title)
    await clients.broadcast(ROOM_OPENED, room)
    return room


@talk.route("/rooms/<room>/posts", raises=[NotFound])
async def read_posts(
    room: str,
    before: int | None = None,
    count: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    *,
    user: User,
    archive: Archive,
) -> History:
    await archive.require(room)
    return await archive.history(room, before, count)


@talk.socket_connect()
async def connect(*, user: User) -> User:
    return user  # a stranger is refused


@talk.socket_join(CHAT)
async def join(room: str, *, user: User, archive: Archive) -> User:
    await archive.require(room)
    return user  # what the others see


async def require_member(room: str, client: Client, rooms: Rooms) -> None:
    """Raises `Forbidden` if the client is not in the room: `Rooms.send` sends for everybody."""
    if all(member.id != client.id for member in await rooms.members(CHAT(room=room))):
        raise Forbidden(f"You are not in the room {room}", code="not_in_room")


@talk.socket("post")
async def send_post(data: NewPost, client: Client, *, user: User, bus: Bus, rooms: Rooms) -> Post:
    """As an action with a key, it is done once, even if this replica is killed and the page asks another one again."""
    await require_member(data.room, client, rooms)
    return await bus.call(POST, data, idempotency_key=f"{user.id}:{data.key}")


@talk.action(POST)
async def post(new: NewPost, *, user: User, archive: Archive, rooms: Rooms) -> Post:
    await archive.require(new.room)
    post = await archive.add(new, user)
    await rooms.send(CHAT(room=new.room), POSTED, post)
    return post


@talk.socket("types")
async def tell_typing(room: str, client: Client, *, user: User, rooms: Rooms) -> None:
    await require_member(room, client, rooms)
    await rooms.send(CHAT(room=room), TYPES, user, but=client.id, kept=False)
