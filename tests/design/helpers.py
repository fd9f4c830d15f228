"""What the page names and leaves to the reader, in memory and as small as can be."""

import itertools
import threading
from collections.abc import AsyncIterator

import msgspec

from daebus import Bus

from .contracts import USER_EVENTS, CreateUser, User, UserDeleted


class Journal:
    """What happened, for the test to look at."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


class Database:
    def __init__(self, url: str) -> None:
        self.url = url
        self.users: dict[str, User] = {}
        self.journal = Journal()


async def open_database(url: str) -> AsyncIterator[Database]:
    db = Database(url)
    db.journal.note(f"opened {url}")
    yield db
    db.journal.note("closed")


class UserRepo:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._numbers = itertools.count(1)
        self.journal = db.journal
        self.looked_at = threading.Event()

    async def find(self, user_id: str) -> User | None:
        return self._db.users.get(user_id)

    async def add(self, data: CreateUser) -> User:
        user = User(f"u{next(self._numbers)}", data.email, data.name)
        self._db.users[user.id] = user
        return user

    async def remove(self, user_id: str) -> None:
        self._db.users.pop(user_id, None)

    async def all(self) -> list[User]:
        return list(self._db.users.values())


class Session:
    def __init__(self, db: Database) -> None:
        self._db = db

    def note(self, line: str) -> None:
        self._db.journal.note(line)


async def open_session(db: Database) -> AsyncIterator[Session]:
    db.journal.note("session entered")
    try:
        yield Session(db)
    except Exception:
        db.journal.note("session rolled back")
        raise
    db.journal.note("session left")


_tokens = itertools.count(1)


def make_token() -> str:
    return f"token-{next(_tokens)}"


class Outbox:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def tell_deleted(self, user_id: str) -> None:
        await self._bus.publish(USER_EVENTS, UserDeleted(user_id))


class Tokens:
    def __init__(self) -> None:
        self._owners: dict[str, str] = {"good": "u1"}

    def issue(self, token: str, user_id: str) -> None:
        self._owners[token] = user_id

    def owner(self, token: str) -> str | None:
        return self._owners.get(token)


class Rooms:
    def __init__(self) -> None:
        self.left: list[str] = []

    def leave(self, client_id: str) -> None:
        self.left.append(client_id)


class ConnectParams(msgspec.Struct):
    token: str = ""


class Welcome(msgspec.Struct):
    user_id: str
