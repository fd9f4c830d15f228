"""Two handlers of one action in one blueprint."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# wrong
@app.get("/users/{user_id}")
async def find_user(user_id: str) -> User:
    return User(id=user_id)


# right
@app.get("/users/{user_id}/found")
async def find_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
