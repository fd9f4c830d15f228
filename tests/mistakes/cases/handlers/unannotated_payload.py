"""A payload without an annotation."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
@users.action("get_user")
# ! mypy daebus-signature: get_user(query): it has no annotation, so nothing can be validated -> annotate its type
# ! mypy no-untyped-def: Function is missing a type annotation for one or more parameters
# ! pyrefly strict implicit-any-parameter
# ! pyright strict reportMissingParameterType: Type annotation is missing for parameter "query"
# ! pyright strict reportUnknownParameterType: Type of parameter "query" is unknown
# ! registration missing-annotation: get_user(query): it has no annotation, so nothing can be validated; annotate its type
# ! zuban strict no-untyped-def
async def get_user(query) -> User:
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    # ! pyright strict reportUnknownMemberType: Type of "id" is unknown
    return User(query.id)


# right
@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
