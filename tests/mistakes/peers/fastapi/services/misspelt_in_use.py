"""A provider whose name is misspelt in `use(...)`."""

from typing import Annotated

from fastapi import Depends, FastAPI

from accounts import User, UserRepo, get_repo

app = FastAPI()


# wrong
@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Annotated[UserRepo, Depends(get_rebo)]) -> User:
    return await repo.find(user_id)


# right
@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Annotated[UserRepo, Depends(get_repo)]) -> User:
    return await repo.find(user_id)


# both
SEND = "GET /users/u1"
