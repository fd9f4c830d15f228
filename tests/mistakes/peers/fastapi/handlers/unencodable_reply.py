"""A reply that cannot be written as JSON."""

from fastapi import FastAPI

from accounts import Repo, User, UserRepo

app = FastAPI()


# wrong
@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Repo) -> UserRepo:
    return repo


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Repo) -> User:
    return await repo.find(user_id)


# both
SEND = "GET /users/u1"
