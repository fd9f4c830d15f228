"""A name of an action with a space."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! mypy daebus-value: get_user: the name "get user" contains " ", and the name is part of keys in Redis -> write it as one word, such as get_user or get-user
# ! registration wrong-name: @action('get user'): the name 'get user' contains ' ', and the name is part of keys in Redis; write it as one word, such as 'get_user' or 'get-user'
@users.action("get user")
# right
@users.action("get_user")
# both
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
