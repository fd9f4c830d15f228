"""A decorator without its brackets."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


# wrong
@app.get
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
