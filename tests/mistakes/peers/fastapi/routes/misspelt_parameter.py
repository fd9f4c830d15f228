"""A path parameter that is called otherwise in the signature."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


# wrong
@app.get("/users/{user_id}")
async def get_user(userid: str) -> User:
    return User(id=userid)


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
