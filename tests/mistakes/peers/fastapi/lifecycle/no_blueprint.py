"""A module that is registered instead of the blueprint in it."""

import shop
from fastapi import APIRouter, FastAPI
from shop import User

app = FastAPI()
users = APIRouter()


@users.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# wrong
app.include_router(shop)

# right
app.include_router(users)

# both
SEND = "GET /users/u1"
