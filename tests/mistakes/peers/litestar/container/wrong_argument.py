"""A provider that is given something of another type than its class takes."""

from litestar import Litestar, get
from litestar.di import Provide

from accounts import Database, Session, UserRepo, provide_db


# wrong
async def provide_archive(db: Database) -> UserRepo:
    return UserRepo(Session())


# right
async def provide_archive(db: Database) -> UserRepo:
    return UserRepo(db=db)


# both
@get("/limit")
async def limit(archive: UserRepo) -> int:
    return archive.limit


app = Litestar([limit], dependencies={"db": Provide(provide_db), "archive": Provide(provide_archive)})
SEND = "GET /limit"
