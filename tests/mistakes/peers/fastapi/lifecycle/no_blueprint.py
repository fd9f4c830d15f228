"""A module that is registered instead of the blueprint in it."""

from fastapi import APIRouter, FastAPI

import accounts
from accounts import User

app = FastAPI()
users = APIRouter()


@users.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# wrong
app.include_router(accounts)

# right
app.include_router(users)

# both
SEND = "GET /users/u1"
