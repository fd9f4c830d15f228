"""A handler that may reply None, where its contract promises a reply."""

from fastapi import FastAPI

from accounts import User

app = FastAPI()


# wrong
@app.get("/users/{user_id}", response_model=User)
async def get_user(user_id: str) -> User | None:
    return None if user_id else User(id=user_id)


# right
@app.get("/users/{user_id}", response_model=User)
async def get_user(user_id: str) -> User:
    return User(id=user_id)


# both
SEND = "GET /users/u1"
