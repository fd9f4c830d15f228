"""A `def` handler, which runs in a thread, that asks for the bus of the event loop."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, UserRepo


# wrong
@get("/count", sync_to_thread=True)
def count(repo: UserRepo) -> str:
    return str(repo.find("u1"))


# right
@get("/count", sync_to_thread=True)
def count(repo: UserRepo) -> str:
    return str(repo.read("u1"))


# both
app = Litestar([count], dependencies=DEPENDENCIES)
SEND = "GET /count"
