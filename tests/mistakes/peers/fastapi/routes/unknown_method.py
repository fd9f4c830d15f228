"""A method that HTTP does not have."""

from fastapi import FastAPI

from accounts import GetUser, User

app = FastAPI()


# wrong
@app.api_route("/users", methods=["PSOT"])
async def get_user(data: GetUser) -> User:
    return User(id=data.id)


# right
@app.api_route("/users", methods=["POST"])
async def get_user(data: GetUser) -> User:
    return User(id=data.id)


# both
SEND = 'POST /users {"id": "u1"}'
