"""Two handlers of one route; only the names of the parameters differ."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# wrong
@app.get("/users/{name}")
async def get_user_by_name(name: str) -> User:
    return User(id="u1", name=name)


# right
@app.get("/users/by-name/{name}")
async def get_user_by_name(name: str) -> User:
    return User(id="u1", name=name)


# both
SEND = "GET /users/u1"
