"""What the programs for the type checkers are about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager

import msgspec
from dependency_injector import providers

from daebus import Action, Channel, Credentials, Identity, Message, PerMessage, ServiceContainer, StreamAction


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str = ""


class Admin(User):
    level: int = 1


class Created(msgspec.Struct, tag="created"):
    id: str


class Deleted(msgspec.Struct, tag="deleted"):
    id: str


GET_USER = Action[GetUser, User]("get_user")
COUNT_USERS = Action[None, int]("count_users")
DELETE_USER = Action[GetUser, None]("delete_user")
FIND_USER = Action[GetUser, User | None]("find_user")
ALL_USERS = StreamAction[GetUser, User]("all_users")
TICKS = StreamAction[None, int]("ticks")
USER_EVENTS = Channel[Created | Deleted]("user_events")
ORDERS = Channel[Created]("orders", durable=True)
USER_ONLINE = Message[User]("user_online")


class Database:
    pass


class Session:
    pass


class UserRepo:
    def __init__(self, db: Database) -> None:
        self.db = db


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now


async def open_database(url: str) -> AsyncIterator[Database]:
    yield Database()


def open_cache(size: int) -> Iterator[dict[str, User]]:
    yield {}


async def open_session(db: Database) -> AsyncIterator[Session]:
    yield Session()


@contextmanager
def open_transaction(db: Database) -> Generator[Session]:
    yield Session()


async def find_user(credentials: Credentials, repo: UserRepo) -> User | None:
    return User(credentials.token) if repo.db else None


def find_admin(credentials: Credentials) -> Admin | None:
    return None


class Container(ServiceContainer):
    config = providers.Configuration(default={"port": "1"})
    db = providers.Resource(open_database, url=config.url)
    cache = providers.Resource(open_cache, size=3)
    repo = providers.Singleton(UserRepo, db=db)
    clock = providers.Factory(Clock)
    session = PerMessage(open_session, db=db)
    transaction = PerMessage(open_transaction, db=db)
    limit = providers.Object(3)
    user = Identity(find_user, repo=repo)
    admin = Identity(find_admin)


class SmallContainer(ServiceContainer):
    clock = providers.Factory(Clock)


class LargeContainer(Container):
    extra = providers.Object("x")
