"""`**kwargs`, which nothing could fill."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


# wrong
@app.get("/users/{user_id}")
async def get_user(user_id: str, **kwargs: str) -> User:
    return User(id=user_id, **kwargs)


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
