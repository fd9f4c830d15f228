"""The rooms, and all that was said in them: a hash and lists in Redis."""

from datetime import UTC, datetime

import msgspec
from redis.asyncio import Redis

from chat.contracts import History, NewPost, Post, RoomInfo, User
from daebus.errors import Conflict, NotFound

_FIRST = (RoomInfo("lobby", "Lobby"), RoomInfo("ideas", "Ideas"), RoomInfo("random", "Random"))
_MOST = 100  # rooms


class Archive:
    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._rooms = f"{prefix}:rooms"
        self._prefix = prefix

    async def open_first_rooms(self) -> None:
        for room in _FIRST:
            await self._redis.hsetnx(self._rooms, room.id, msgspec.json.encode(room))

    async def open_room(self, title: str) -> RoomInfo:
        """Raises `Conflict` if there is such a room, or there are too many."""
        room = RoomInfo("-".join(title.lower().split()), title)
        if await self._redis.hlen(self._rooms) >= _MOST:
            raise Conflict(f"There are {_MOST} rooms already")
        if not await self._redis.hsetnx(self._rooms, room.id, msgspec.json.encode(room)):
            raise Conflict(f"There is a room {title} already")
        return room

    async def rooms(self) -> list[RoomInfo]:
        found = await self._redis.hvals(self._rooms)
        return sorted((msgspec.json.decode(one, type=RoomInfo) for one in found), key=lambda room: room.title.lower())

    async def require(self, room: str) -> None:
        """Raises `NotFound` if there is no such room."""
        if not await self._redis.hexists(self._rooms, room):
            raise NotFound(f"There is no room {room}", code="no_such_room")

    async def add(self, new: NewPost, user: User) -> Post:
        at = datetime.now(UTC)
        post = Post(id=0, room=new.room, user=user, at=at, text=new.text, key=new.key, file=new.file)
        post.id = await self._redis.rpush(self._posts(new.room), msgspec.json.encode(post))
        return post

    async def history(self, room: str, before: int | None, count: int) -> History:
        """The last posts of a room, or those before another one. The id of a post is its place in the list."""
        total = await self._redis.llen(self._posts(room)) if before is None else before - 1
        first = max(0, total - count)
        found = await self._redis.lrange(self._posts(room), first, total - 1) if total > 0 else []
        posts = [msgspec.json.decode(one, type=Post) for one in found]
        for post_id, post in enumerate(posts, first + 1):
            post.id = post_id
        return History(posts, more=first > 0)

    def _posts(self, room: str) -> str:
        return f"{self._prefix}:posts:{room}"
