"""A path parameter that the handler does not take."""

from accounts import Container, User, UserRepo
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users", services=Container)


# wrong
# ! mypy daebus-path: get_user: the path has <user_id>, but the handler does not take it -> add `user_id: str` left of the *
@users.route("/users/<user_id>")
# ! registration path-mismatch: get_user: the path has <user_id>, but the handler does not take it; add `user_id: str` left of the *
async def get_user(*, repo: UserRepo) -> User:
    return await repo.find("")


# right
@users.route("/users/<user_id>")
async def get_user(user_id: str, *, repo: UserRepo) -> User:
    return await repo.find(user_id)


# both
app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.register_blueprint(users)
