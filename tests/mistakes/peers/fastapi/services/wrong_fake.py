"""An override in a test, of a provider that does not exist."""

from fastapi import FastAPI

from accounts import Database, Repo, User, UserRepo, get_repo

app = FastAPI()


@app.get("/users/{user_id}")
async def get_user(user_id: str, repo: Repo) -> User:
    return await repo.find(user_id)


# wrong
app.dependency_overrides[get_rebo] = lambda: UserRepo(Database(), limit=1)

# right
app.dependency_overrides[get_repo] = lambda: UserRepo(Database(), limit=1)

# both
SEND = "GET /users/u1"
