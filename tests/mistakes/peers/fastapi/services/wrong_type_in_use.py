"""A service of another type than the provider in `use(...)` gives."""

from typing import Annotated

from fastapi import Depends, FastAPI

from accounts import Database, get_db, get_repo

app = FastAPI()


# wrong
@app.get("/url")
async def url(db: Annotated[Database, Depends(get_repo)]) -> str:
    return db.url


# right
@app.get("/url")
async def url(db: Annotated[Database, Depends(get_db)]) -> str:
    return db.url


# both
SEND = "GET /url"
