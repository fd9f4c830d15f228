"""A field that the payload does not have."""

from fastapi import FastAPI

from accounts import GetUser, User

app = FastAPI()


# wrong
@app.post("/users")
async def get_user(query: GetUser) -> User:
    return User(id=query.user_id)


# right
@app.post("/users")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'POST /users {"id": "u1"}'
