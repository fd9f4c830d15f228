"""An option of the app that does not exist."""

from fastapi import FastAPI

from accounts import User

# wrong
app = FastAPI(titel="Users")

# right
app = FastAPI(title="Users")


# both
@app.get("/users/{user_id}")
async def get_user(user_id: str) -> User:
    return User(id=user_id)


SEND = "GET /users/u1"
