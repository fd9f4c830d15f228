"""A service without an annotation."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
@users.action("limit")
# ! mypy daebus-signature: limit(repo): it has no annotation, so the provider cannot be checked -> write repo: UserRepo
# ! mypy no-untyped-def: Function is missing a type annotation for one or more parameters
# ! pyrefly strict implicit-any-parameter
# ! pyright strict reportMissingParameterType: Type annotation is missing for parameter "repo"
# ! pyright strict reportUnknownParameterType: Type of parameter "repo" is unknown
# ! registration missing-annotation: limit(repo): it has no annotation, so the provider cannot be checked; annotate it, as repo: UserRepo
# ! zuban strict no-untyped-def
async def limit(*, repo) -> int:
    # ! mypy strict no-any-return: Returning Any from function declared to return "int"
    # ! pyright strict reportUnknownMemberType: Type of "limit" is unknown
    # ! pyright strict reportUnknownVariableType: Return type is unknown
    # ! ty strict unsound-return
    # ! zuban strict no-any-return
    return repo.limit


# right
@users.action("limit")
async def limit(*, repo: UserRepo) -> int:
    return repo.limit


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
