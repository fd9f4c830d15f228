"""A provider that is given something of another type than its class takes."""

from typing import Annotated

from fastapi import Depends, FastAPI

from accounts import Database, Session, UserRepo, get_db

app = FastAPI()


# wrong
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(Session())


# right
def get_archive(db: Annotated[Database, Depends(get_db)]) -> UserRepo:
    return UserRepo(db=db)


# both
@app.get("/limit")
async def limit(archive: Annotated[UserRepo, Depends(get_archive)]) -> int:
    return archive.limit


SEND = "GET /limit"
