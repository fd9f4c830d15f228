"""A service of another type than the provider in `use(...)` gives."""

from litestar import Litestar, get
from litestar.di import Provide

from accounts import Database, provide_db, provide_session


# wrong
@get("/url")
async def url(db: Database) -> str:
    return db.url


app = Litestar([url], dependencies={"db": Provide(provide_session)})


# right
@get("/url")
async def url(db: Database) -> str:
    return db.url


app = Litestar([url], dependencies={"db": Provide(provide_db)})

# both
SEND = "GET /url"
