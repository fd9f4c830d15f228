"""Two services that need each other."""

from litestar import Litestar, get
from litestar.di import Provide


async def provide_left(right: int) -> str:
    return str(right)


# wrong
async def provide_right(left: str) -> int:
    return len(left)


# right
async def provide_right() -> int:
    return 3


# both
@get("/left")
async def get_left(left: str) -> str:
    return left


app = Litestar([get_left], dependencies={"left": Provide(provide_left), "right": Provide(provide_right)})
SEND = "GET /left"
