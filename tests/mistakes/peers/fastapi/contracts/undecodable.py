"""A contract whose payload no JSON can become."""

from fastapi import FastAPI

from accounts import Database, GetUser, User

app = FastAPI()


# wrong
@app.post("/users")
async def get_user(db: Database) -> User:
    return User(id=db.url)


# right
@app.post("/users")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'POST /users {"id": "u1"}'
