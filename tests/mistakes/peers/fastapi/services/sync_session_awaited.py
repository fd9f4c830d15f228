"""A synchronous repository that is awaited."""

from fastapi import FastAPI

from accounts import Repo, User

app = FastAPI()


# wrong
@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Repo) -> User:
    return await repo.read(user_id)


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Repo) -> User:
    return await repo.find(user_id)


# both
SEND = "GET /users/u1"
