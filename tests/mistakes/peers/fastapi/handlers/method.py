"""A handler that is a method."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


# wrong
class Users:
    @app.get("/users/{user_id}")
    async def get_user(self, user_id: str) -> User:
        return User(id=user_id)


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
