"""The payloads, the same for all peers that use msgspec."""

import msgspec

LONG = "x" * 10_000
ITEMS = 200


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    email: str
    name: str


class Text(msgspec.Struct):
    text: str


QUERY = GetUser("u1")
USER = User("u1", "ada@example.com", "Ada")
TEXT = Text(LONG)
