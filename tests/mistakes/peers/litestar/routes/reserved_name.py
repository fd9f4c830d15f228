"""A query parameter with a name to which Litestar gives a meaning of its own."""

from litestar import Litestar, get

from accounts import User


# wrong
@get("/search")
async def search(query: str) -> User:
    return User(query)


# right
@get("/search")
async def search(text: str) -> User:
    return User(text)


# both
app = Litestar([search])
SEND = "GET /search?query=a&text=a"
