"""A service without an annotation."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, Database


# wrong
@get("/url")
async def url(db) -> str:
    return db.url


# right
@get("/url")
async def url(db: Database) -> str:
    return db.url


# both
app = Litestar([url], dependencies=DEPENDENCIES)
SEND = "GET /url"
