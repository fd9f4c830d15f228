"""A payload whose type is imported for the type checker alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts import Container, User, UserRepo
from daebus import Blueprint, Daebus

# wrong
if TYPE_CHECKING:
    from accounts import GetUser
# right
from accounts import GetUser

print(TYPE_CHECKING)
# both

users = Blueprint("users", services=Container)


@users.action("get_user")
# ! mypy daebus-signature: get_user(query: GetUser): "GetUser" is imported only for type checkers, but daebus needs it at run time -> move the import out of `if TYPE_CHECKING:`
# ! registration unresolved-annotation: get_user(query: GetUser): 'GetUser' is imported only for type checkers, but daebus needs it at run time; move the import out of `if TYPE_CHECKING:`
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
