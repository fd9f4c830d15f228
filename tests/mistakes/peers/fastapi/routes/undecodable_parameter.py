"""A query parameter of a type that no request can hold."""

from fastapi import FastAPI

from accounts import Session, User

app = FastAPI()


# wrong
@app.get("/users")
async def get_user(session: Session) -> User:
    return session.execute("")


# right
@app.get("/users")
async def get_user(session: str) -> User:
    return User(id=session)


# both
SEND = "GET /users?session=s1"
