"""A service that is built when the module is imported: a provider that is called in the default."""

from litestar import Litestar, get
from litestar.di import Provide

from accounts import Database, provide_db

# wrong
DEPENDENCIES = {"db": Provide(provide_db())}

# right
DEPENDENCIES = {"db": Provide(provide_db)}


# both
@get("/url")
async def url(db: Database) -> str:
    return db.url


app = Litestar([url], dependencies=DEPENDENCIES)
SEND = "GET /url"
