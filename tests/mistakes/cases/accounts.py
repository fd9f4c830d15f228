"""What the programs of the catalogue are about: the contracts, the container and the classes of a small service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
from dependency_injector import providers

from daebus import Action, Bus, Channel, Message, PerMessage, ServiceContainer, StreamAction


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str = ""


class Created(msgspec.Struct, tag="created"):
    id: str


class Deleted(msgspec.Struct, tag="deleted"):
    id: str


GET_USER = Action[GetUser, User]("get_user")
FIND_USER = Action[GetUser, User | None]("find_user")
COUNT_USERS = Action[None, int]("count_users")
LIST_USERS = StreamAction[GetUser, User]("list_users")
USER_EVENTS = Channel[Created | Deleted]("user_events")
USER_ONLINE = Message[User]("user_online")


class Database:
    def __init__(self, url: str = "") -> None:
        self.url = url


class Session:
    pass


class UserRepo:
    def __init__(self, db: Database, *, limit: int = 100) -> None:
        self.db = db
        self.limit = limit

    async def find(self, id: str) -> User:
        return User(id, "Ada")

    def read(self, id: str) -> User:
        return User(id, "Ada")


class Mailer:
    def __init__(self, bus: Bus) -> None:
        self.bus = bus


async def open_database(url: str = "") -> AsyncIterator[Database]:
    yield Database(url)


def open_session(db: Database) -> Iterator[Session]:
    yield Session()


class Container(ServiceContainer):
    db = providers.Singleton(Database)
    pool = providers.Resource(open_database)
    repo = providers.Singleton(UserRepo, db=db)
    session = PerMessage(open_session, db=db)
    mailer = providers.Singleton(Mailer, bus=ServiceContainer.bus)
    limit = providers.Object(100)
