"""A provider that is not given what its class needs."""

from typing import Annotated

from fastapi import Depends, FastAPI

from accounts import Database, UserRepo, get_db

app = FastAPI()


# wrong
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo()


# right
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(db=db)


# both
@app.get("/limit")
async def limit(archive: Annotated[UserRepo, Depends(get_archive)]) -> int:
    return archive.limit


SEND = "GET /limit"
