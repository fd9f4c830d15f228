"""An option that routes do not have."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


# wrong
@app.get("/users/{user_id}", summry="One user")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# right
@app.get("/users/{user_id}", summary="One user")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
