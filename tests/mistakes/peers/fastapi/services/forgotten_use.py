"""A provider as the default itself: a forgotten `use(...)`."""

from fastapi import Depends, FastAPI

from accounts import UserRepo, get_repo

app = FastAPI()


# wrong
@app.get("/limit")
async def limit(repo: UserRepo = get_repo) -> int:
    return repo.limit


# right
@app.get("/limit")
async def limit(repo: UserRepo = Depends(get_repo)) -> int:
    return repo.limit


# both
SEND = "GET /limit"
