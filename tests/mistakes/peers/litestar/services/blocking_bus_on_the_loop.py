"""An `async def` handler that asks for the blocking bus, which would block the event loop."""

from litestar import Litestar, get

from accounts import DEPENDENCIES, Session, User


# wrong
@get("/users/{user_id:str}")
async def get_user(user_id: str, session: Session) -> User:
    return session.execute(user_id)


# right
@get("/users/{user_id:str}", sync_to_thread=True)
def get_user(user_id: str, session: Session) -> User:
    return session.execute(user_id)


# both
app = Litestar([get_user], dependencies=DEPENDENCIES)
SEND = "GET /users/u1"
