"""A service that is built when the module is imported: a provider that is called in the default."""

from typing import Annotated

from fastapi import Depends, FastAPI

from accounts import Database, get_db

app = FastAPI()


# wrong
@app.get("/url")
async def url(db: Annotated[Database, Depends(get_db())]) -> str:
    return db.url


# right
@app.get("/url")
async def url(db: Annotated[Database, Depends(get_db)]) -> str:
    return db.url


# both
SEND = "GET /url"
