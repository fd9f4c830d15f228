"""An `async def` handler that asks for the blocking bus, which would block the event loop."""

from typing import Annotated

from fastapi import Depends, FastAPI

from accounts import Session, User, get_session

app = FastAPI()


# wrong
@app.get("/users/{user_id}")
async def get_user(user_id: str, session: Annotated[Session, Depends(get_session)]) -> User:
    return session.execute(user_id)


# right
@app.get("/users/{user_id}")
def get_user(user_id: str, session: Annotated[Session, Depends(get_session)]) -> User:
    return session.execute(user_id)


# both
SEND = "GET /users/u1"
