"""What pages and other services may know: the messages, and the contracts that name them."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from daebus import Action, Message, Room

Text = Annotated[str, msgspec.Meta(max_length=4_000)]


class Login(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(pattern=r"^\w[\w .-]{0,30}\w$")]
    password: Annotated[str, msgspec.Meta(min_length=8, max_length=200)]


class User(msgspec.Struct):
    id: str
    name: str


class NewRoom(msgspec.Struct):
    title: Annotated[str, msgspec.Meta(pattern=r"^\w[\w -]{0,28}\w$")]


class RoomInfo(msgspec.Struct):
    id: str
    title: str


class Upload(msgspec.Struct):
    id: str
    name: str
    size: int
    type: str


class NewPost(msgspec.Struct):
    room: str
    text: Text
    key: Annotated[str, msgspec.Meta(min_length=8, max_length=64)]  # chosen by the page, which may have to ask twice
    file: Upload | None = None


class Post(msgspec.Struct, omit_defaults=True):
    id: int  # from 1
    room: str
    user: User
    at: datetime
    text: str
    key: str
    file: Upload | None = None


class History(msgspec.Struct):
    posts: list[Post]  # the oldest one first
    more: bool  # whether there are older ones


CHAT = Room[User]("chat:{room}", history=500, keep=timedelta(hours=1))
POST = Action[NewPost, Post]("post", service="chat")

POSTED = Message[Post]("posted")
TYPES = Message[User]("types")
ROOM_OPENED = Message[RoomInfo]("room_opened")
