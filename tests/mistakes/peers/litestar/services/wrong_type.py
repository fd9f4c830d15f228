"""A service of another type than its provider gives."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, Database


# wrong
@get("/url")
async def url(repo: Database) -> str:
    return repo.url


# right
@get("/url")
async def url(db: Database) -> str:
    return db.url


# both
app = Litestar([url], dependencies=DEPENDENCIES)
SEND = "GET /url"
