"""What the programs are about: the same small service as in ``cases/accounts.py``, as Litestar's documentation writes it."""

from collections.abc import Iterator

from litestar.di import Provide
from msgspec import Struct


class GetUser(Struct):
    id: str


class User(Struct):
    id: str
    name: str = ""


class Database:
    def __init__(self, url: str = "") -> None:
        self.url = url


class Session:
    def execute(self, id: str) -> User:
        return User(id)


class UserRepo:
    def __init__(self, db: Database, *, limit: int = 100) -> None:
        self.db = db
        self.limit = limit

    async def find(self, id: str) -> User:
        return User(id, "Ada")

    def read(self, id: str) -> User:
        return User(id, "Ada")


async def provide_db() -> Database:
    return Database()


async def provide_repo(db: Database) -> UserRepo:
    return UserRepo(db)


def provide_session() -> Iterator[Session]:
    yield Session()


DEPENDENCIES = {"db": Provide(provide_db), "repo": Provide(provide_repo), "session": Provide(provide_session)}
