"""A payload that no JSON can become."""

from fastapi import FastAPI

from accounts import GetUser, Session, User

app = FastAPI()


# wrong
@app.post("/users")
async def get_user(query: Session) -> User:
    return query.execute("")


# right
@app.post("/users")
async def get_user(query: GetUser) -> User:
    return User(id=query.id)


# both
SEND = 'POST /users {"id": "u1"}'
