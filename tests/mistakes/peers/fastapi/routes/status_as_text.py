"""A status that is no number."""

from fastapi import FastAPI

from accounts import GetUser, User

app = FastAPI()


# wrong
@app.post("/users", status_code="created")
async def get_user(data: GetUser) -> User:
    return User(id=data.id)


# right
@app.post("/users", status_code=201)
async def get_user(data: GetUser) -> User:
    return User(id=data.id)


# both
SEND = 'POST /users {"id": "u1"}'
