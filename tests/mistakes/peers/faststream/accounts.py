"""What the programs are about: the same small service as in ``cases/accounts.py``, as FastStream's documentation writes it."""

from collections.abc import Iterator
from typing import Annotated, Literal

from faststream import Depends
from pydantic import BaseModel


class GetUser(BaseModel):
    id: str


class User(BaseModel):
    id: str
    name: str = ""


class Database:
    def __init__(self, url: str = "") -> None:
        self.url = url


class Session:
    def execute(self, id: str) -> User:
        return User(id=id)


class UserRepo:
    def __init__(self, db: Database, *, limit: int = 100) -> None:
        self.db = db
        self.limit = limit

    async def find(self, id: str) -> User:
        return User(id=id, name="Ada")

    def read(self, id: str) -> User:
        return User(id=id, name="Ada")


def get_db() -> Database:
    return Database()


def get_repo(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(db)


def get_session() -> Iterator[Session]:
    yield Session()


Repo = Annotated[UserRepo, Depends(get_repo)]


class Created(BaseModel):
    kind: Literal["created"] = "created"
    id: str


class Deleted(BaseModel):
    kind: Literal["deleted"] = "deleted"
    id: str
