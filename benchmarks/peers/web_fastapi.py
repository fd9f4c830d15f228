"""FastAPI on uvicorn, with uvloop and httptools."""

from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from web_shapes import Audit, Users

users, audit = Users(), Audit()


class User(BaseModel):
    id: str
    email: str
    name: str


class NewUser(BaseModel):
    email: str
    name: str
    about: str = ""


async def get_users() -> Users:
    return users


async def get_audit() -> Audit:
    return audit


UsersService = Annotated[Users, Depends(get_users)]
AuditService = Annotated[Audit, Depends(get_audit)]

app = FastAPI()


@app.get("/users/{user_id}")
async def get_user(user_id: str, users: UsersService, audit: AuditService) -> User:
    audit.note()
    return User(id=user_id, email="ada@example.com", name="Ada")


@app.post("/users", status_code=201)
async def add_user(data: NewUser, users: UsersService, audit: AuditService) -> User:
    audit.note()
    return User(id="u1", email=data.email, name=data.name)
